import UpgradeDomain

extension RolloutState {
    /// Moves to the next stage as soon as the present one waits for nothing.
    mutating func advance(_ moment: Moment) {
        while pending.isEmpty, !isHeld, !isAborted, stage != .complete {
            enter(stage(after: stage))
            stageSequence = moment.sequence
            advanceMark = moment.monotonic
        }
    }

    private func stage(after stage: Stage) -> Stage {
        switch stage {
        case .preflight: .baseline
        case .baseline: .batch(layer: 0, index: 0)
        case .batch(let layer, let index): .batchBoundary(layer: layer, index: index)
        case .batchBoundary(let layer, let index):
            index + 1 < batches[layer].count ? .batch(layer: layer, index: index + 1) : .layerBoundary(layer: layer)
        case .layerBoundary(let layer):
            layer + 1 < batches.count ? .batch(layer: layer + 1, index: 0) : .end
        case .end, .complete: .complete
        }
    }

    mutating func enter(_ next: Stage) {
        stage = next
        switch next {
        case .preflight, .baseline:
            pending = subjects(scopes: next == .baseline ? plan.layers.map(\.name) : nil) { _ in true }
        case .batch(let layer, let index):
            let batch = Set(batches[layer][index].placements)
            pending = subjects(scopes: nil) { batch.contains($0) && placements[$0]?.phase != .soaked }
        case .batchBoundary(let layer, _):
            pending = subjects(scopes: [plan.layers[layer].name]) { _ in false }
        case .layerBoundary(let layer):
            pending = subjects(scopes: plan.layers[...layer].map(\.name)) { placements[$0]?.touched == true }
        case .end:
            pending = subjects(scopes: plan.layers.map(\.name)) { _ in true }
        case .complete:
            pending = subjects(scopes: nil) { _ in false }
        }
    }

    /// The placements that satisfy `isMember`, of hosts that still take part, plus the evidence of these layers and of
    /// the fleet. Neither layers nor fleet if `layers` is nil.
    private func subjects(scopes layers: [LayerName]?, where isMember: (Placement) -> Bool) -> PendingSubjects {
        let members = PlacementSet(of: order) { !isRetired($0.host) && isMember($0) }
        guard let layers else { return PendingSubjects(placements: members) }
        let scopes = layers.filter { frozen.vantages[$0] != nil }.map(EvidenceSubject.layer)
        return PendingSubjects(placements: members, scopes: Set(scopes + (fleetVantage == nil ? [] : [.fleet])))
    }

    /// After a recovery, returns to the first batch with a placement that is not done.
    mutating func returnToFirstOpenBatch() {
        for (layer, layerBatches) in batches.enumerated() {
            for batch in layerBatches
            where batch.placements.contains(where: { placements[$0]?.phase != .soaked && !isRetired($0.host) }) {
                enter(.batch(layer: layer, index: batch.index))
                return
            }
        }
        // Every placement is done: the failed boundary is judged again.
        enter(stage)
    }
}

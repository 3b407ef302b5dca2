import UpgradeDomain

extension RolloutState {
    /// Moves to the next stage as soon as nothing of the present one is waited for.
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
            pending = Set(livePlacements.map(EvidenceSubject.placement))
            if next == .baseline { pending.formUnion(scopeSubjects(layers: plan.layers.map(\.name))) }
        case .batch(let layer, let index):
            pending = Set(
                batches[layer][index].placements
                    .filter { placements[$0]?.phase != .soaked && !isRetired($0.host) }
                    .map(EvidenceSubject.placement))
        case .batchBoundary(let layer, _):
            pending = scopeSubjects(layers: [plan.layers[layer].name])
        case .layerBoundary(let layer):
            let done = plan.layers[...layer].map(\.name)
            pending = Set(
                livePlacements.filter { placements[$0]?.touched == true }.map(EvidenceSubject.placement))
            pending.formUnion(scopeSubjects(layers: done))
        case .end:
            pending = Set(livePlacements.map(EvidenceSubject.placement))
            pending.formUnion(scopeSubjects(layers: plan.layers.map(\.name)))
        case .complete:
            pending = []
        }
    }

    private var livePlacements: [Placement] { orderedPlacements.filter { !isRetired($0.host) } }

    private func scopeSubjects(layers: [LayerName]) -> Set<EvidenceSubject> {
        var subjects = Set(layers.filter { vantage(of: $0) != nil }.map(EvidenceSubject.layer))
        if fleetVantage != nil { subjects.insert(.fleet) }
        return subjects
    }

    /// Goes back to the first batch that has a placement which is not done, after a recovery.
    mutating func returnToFirstOpenBatch() {
        for (layer, layerBatches) in batches.enumerated() {
            for batch in layerBatches
            where batch.placements.contains(where: { placements[$0]?.phase != .soaked && !isRetired($0.host) }) {
                enter(.batch(layer: layer, index: batch.index))
                return
            }
        }
        // Every placement is done: the boundary that failed is judged again.
        enter(stage)
    }
}

package import Approvals
package import UpgradeDomain

/// How far the forward sequence has come. The cases are in the order of a run.
package enum Stage: Hashable, Sendable {
    /// Read-only: can every host take part?
    case preflight
    /// The evidence family of every subject, before anything changes.
    case baseline
    /// A batch's placements change, warm up and soak.
    case batch(layer: Int, index: Int)
    /// Layer and fleet evidence after a batch.
    case batchBoundary(layer: Int, index: Int)
    /// Every placement touched so far is proved again.
    case layerBoundary(layer: Int)
    /// The whole fleet is proved.
    case end
    /// Nothing is left to do in the forward direction.
    case complete
}

/// A period without observation, and the event that records it.
package struct NotedInterruption: Hashable, Sendable {
    package let sequence: UInt64
    package let interruption: WatchInterruption
}

/// All facts about one run. A value: folding the same events gives the same state.
package struct RolloutState: Hashable, Sendable {
    /// What no event changes. All copies of the state share it, because there are many copies.
    package let frozen: FrozenRun
    /// The present addresses and keys of the hosts; `rebind` changes them.
    package internal(set) var hosts: [HostName: Host]
    /// The sequence number of the last event folded.
    package internal(set) var sequence: UInt64 = 1
    package internal(set) var chainHead: Digest
    package internal(set) var startedAt: WallTime
    package internal(set) var lastEventAt: WallTime
    package internal(set) var driver: Driver?
    /// The last driver released the run on purpose.
    package internal(set) var isDetached = false

    package internal(set) var stage = Stage.preflight
    /// The event that began the stage. Evidence ordered before it does not count.
    var stageSequence: UInt64 = 1
    /// What the stage is still waiting for. In preflight, a host is tracked by its placements.
    package internal(set) var pending: PendingSubjects
    package internal(set) var preflight: [HostName: PreflightRecord] = [:]
    /// The host of each agent in `preflight`, so that a cloned host is found without checking every host.
    var machines: [AgentIdentity: HostName] = [:]
    package internal(set) var baselines: [EvidenceSubject: Capture] = [:]
    /// The last accepted capture of each subject: the baseline, then the capture of each passed gate.
    package internal(set) var accepted: [EvidenceSubject: Capture] = [:]
    package internal(set) var placements: PlacementTable
    var operationTable = OperationTable()
    var failureLog = FailureLog()
    /// A boundary failed, and the run has not been resumed since.
    package internal(set) var isHeld = false
    package internal(set) var isPaused = false
    package internal(set) var isAborted = false
    package internal(set) var isFinalized = false
    package internal(set) var isCancelled = false
    package internal(set) var supersededBy: RunID?
    package internal(set) var lostHosts: [HostName: HostLoss] = [:]
    package internal(set) var retired: [HostName: Owner] = [:]

    /// Owners' approvals of recoveries at the boundary where the run is held.
    package internal(set) var recoveryApprovals: [RecoveryApproval] = []
    /// Who permits what. Statements of a run that goes by claims open its hold points.
    package internal(set) var authority: Authority
    /// The approval that it waits for; nil if it waits for none.
    package internal(set) var wait: PendingApproval?
    /// The rollbacks that ignored guardrails.
    package internal(set) var overrides: [GuardrailOverride] = []
    package internal(set) var campaign: RollbackCampaign?
    /// Placements to capture because their boundary failed.
    package internal(set) var postFailurePending: Set<Placement> = []
    var rechecks = RecheckQueue()
    /// Placements whose failed step may run again.
    package internal(set) var rerunPending: Set<Placement> = []
    var reproofs: ReproofQueue
    /// The last period without observation, with the event that records it.
    package internal(set) var lastInterruption: NotedInterruption?
    /// When a placement of the active batch last made progress, on the monotonic clock.
    var advanceMark: MonotonicTime

    @inlinable package var definition: RunDefinition { frozen.definition }
    @inlinable package var plan: Plan { frozen.definition.plan }
    package var batches: [[Batch]] { frozen.batches }
    var order: PlacementOrder { frozen.order }

    /// The state after the first event.
    package init(definition: RunDefinition, startedAt: WallTime, hash: Digest, at now: MonotonicTime) {
        frozen = FrozenRun(definition)
        authority = Authority(of: definition)
        self.startedAt = startedAt
        lastEventAt = startedAt
        chainHead = hash
        advanceMark = now
        hosts = Dictionary(definition.hosts.map { ($0.name, $0) }) { first, _ in first }
        placements = PlacementTable(frozen.order) { placement in
            let earlier = definition.succession?.attempts[placement] ?? 0
            return PlacementState(
                attempt: earlier + 1, since: Moment(sequence: 1, wall: startedAt, monotonic: now))
        }
        pending = PendingSubjects(placements: PlacementSet(of: frozen.order) { _ in true })
        reproofs = ReproofQueue(of: frozen.order)
    }

    // MARK: Derived

    package var isClosed: Bool { isFinalized || isCancelled || supersededBy != nil }

    /// Every placement in the order of the plan.
    package var orderedPlacements: [Placement] { order.placements }

    /// The position of a placement in plan order, from 0, and the number of its batch in its layer, from 0.
    package func place(of placement: Placement) -> (position: Int, batch: Int)? {
        order.position(of: placement).map { ($0, order.batch(at: $0)) }
    }

    package var operations: [OperationID: OperationState] { operationTable.all }
    package var openOperations: Set<OperationID> { operationTable.open }

    package var failures: [Failure] { failureLog.all }
    package var unresolvedFailures: [Failure] { failureLog.unresolved }

    /// The failure that gives the hold its name: the first unresolved one, else the first of the hold.
    package var holdingFailure: Failure? {
        isHeld ? failureLog.leading : nil
    }

    /// The boundary that the run is working on or has stopped at.
    package var boundary: Boundary {
        switch stage {
        case .preflight: .preflight
        case .baseline: .baseline
        case .batch(let layer, let index), .batchBoundary(let layer, let index):
            .batch(layer: plan.layers[layer].name, index: index)
        case .layerBoundary(let layer): .layer(plan.layers[layer].name)
        case .end, .complete: .end
        }
    }

    /// The placements of the batch that is changing now.
    package var activePlacements: [Placement] {
        switch stage {
        case .batch(let layer, let index): batches[layer][index].placements
        case .preflight, .baseline, .batchBoundary, .layerBoundary, .end, .complete: []
        }
    }

    /// Whether no step or rollback script ran, or may have run, on any host, in this run or in the one that it
    /// succeeds.
    package var hasChangedNothing: Bool { touchedPlacements.isEmpty && !inheritsChanges && !usesApprovals }

    /// Whether a step or rollback script ran, or may run, on a host in this run. Then the run has used its approvals.
    package var usesApprovals: Bool {
        operations.values.contains { operation in
            switch operation.fate {
            case .withdrawn, .tombstoned: false
            case .ended(let record): record.outcome.mayHaveChangedHost
            case .intended, .running, .uncertain, .unconfirmed: true
            }
        }
    }

    /// Whether it continues a run that has changed hosts.
    var inheritsChanges: Bool { definition.succession?.attempts.isEmpty == false }

    package var touchedPlacements: [Placement] { orderedPlacements.filter { placements[$0]?.touched == true } }

    /// The hosts that preflight has no result for yet, in plan order; at most as many as are read at once.
    var hostsNotAnswered: [HostName] {
        let failed = Set(unresolvedFailures.compactMap(\.host))
        var seen: Set<HostName> = []
        var missing: [HostName] = []
        for host in pending.placements.lazy.map(\.host) where !failed.contains(host) {
            if seen.insert(host).inserted { missing.append(host) }
            if missing.count == Decision.readsAtOnce { break }
        }
        return missing
    }

    /// The subjects without a baseline or a failure; at most as many as are read at once.
    var subjectsNotCaptured: [EvidenceSubject] {
        let failed = Set(unresolvedFailures.compactMap(\.subject))
        let lost = Set(unresolvedFailures.filter { $0.subject == nil }.compactMap(\.host))
        let missing = pending.lazy.filter { subject in
            guard let host = captureOrder(subject, .baseline)?.host else { return false }
            return !lost.contains(host) && !failed.contains(subject)
        }
        return Array(missing.prefix(Decision.readsAtOnce))
    }

    /// Placements whose permitted rerun passed and whose evidence is still missing, held or not.
    var rerunsWarmingUp: [Placement] {
        guard isHeld else { return [] }
        return unresolvedFailures.compactMap(\.placement).filter {
            placements[$0]?.rerun != nil && placements[$0]?.phase == .warmingUp
        }
    }

    func layerIndex(of name: LayerName) -> Int? { plan.layers.firstIndex { $0.name == name } }

    func isRetired(_ host: HostName) -> Bool { retired[host] != nil }

    /// Operations that can end, be settled or be withdrawn now. Operations of a lost host wait for a person.
    var awaitedOperations: [OperationID] {
        openOperations.filter { id in
            guard let operation = operations[id] else { return false }
            // What this driver intended is either sent or withdrawn, and both are recorded.
            return lostHosts[operation.intent.placement.host] == nil
                || (operation.fate == .intended && operation.intent.epoch == driver?.epoch)
        }
    }

    /// The changes that their hosts will roll back by themselves unless they are confirmed.
    package var pendingReverts: [PendingRevert] {
        openOperations.sorted().compactMap { id in
            guard let operation = operations[id], let revert = operation.intent.revert else { return nil }
            switch operation.fate {
            case .unconfirmed(_, let since):
                return PendingRevert(
                    operation: id, placement: operation.intent.placement, withinSeconds: revert.withinSeconds,
                    endedAt: since)
            case .running, .uncertain:
                return PendingRevert(
                    operation: id, placement: operation.intent.placement, withinSeconds: revert.withinSeconds,
                    endedAt: nil)
            case .intended, .ended, .withdrawn, .tombstoned: return nil
            }
        }
    }

    func isOpen(_ placement: Placement) -> Bool {
        openOperations.contains { operations[$0]?.intent.placement == placement }
    }

    /// Whether a placement's phase has any of these traits; false for a placement that takes no part in the run.
    func phase(of placement: Placement, has traits: PhaseTraits) -> Bool {
        placements[placement]?.phase.has(traits) == true
    }

    /// The placements of a host in plan order.
    package func placements(of host: HostName) -> [Placement] {
        frozen.placements[host] ?? []
    }
}

/// What a run started with, and everything derived from that alone.
package final class FrozenRun: Hashable, Sendable {
    package let definition: RunDefinition
    /// The batches of each layer of the plan, in order.
    let batches: [[Batch]]
    let order: PlacementOrder
    /// The placements of each host, in the order of the plan.
    let placements: [HostName: [Placement]]
    /// The first host of each layer. It runs the `once` steps.
    let firstHosts: [LayerName: HostName]
    /// The host that gives evidence for each layer with layer-scoped evidence.
    let vantages: [LayerName: HostName]
    /// What may run on each host, for a run that asks for approvals of it; nil for another one.
    let leaves: HostLeaves?
    /// For each layer, the longest allowed time between the ends of two captures of a placement that still counts as
    /// watched: the time until the next capture is due, plus the time that capture may take.
    package let watchLimits: [LayerName: Duration]

    init(_ definition: RunDefinition) {
        self.definition = definition
        let members = definition.plan.layers.map { ($0, definition.hostNames(in: $0.name)) }
        batches = members.map { layer, hosts in layer.batches(over: hosts) }
        firstHosts = Dictionary(
            definition.plan.layers.compactMap { layer in
                layer.firstHost(among: definition.hosts).map { (layer.name, $0) }
            }
        ) { $1 }
        vantages = Dictionary(
            members.compactMap { layer, hosts in
                definition.plan.layerVantages.first(where: hosts.contains).map { (layer.name, $0) }
            }
        ) { $1 }
        watchLimits = Dictionary(
            members.map { layer, _ in
                let sources = definition.plan.sources(in: layer)
                let look = sources.reduce(0) { $0 + $1.timeoutSeconds }
                // Requests with a fleet-wide rate limit are spaced, so a capture may have to wait for the captures of
                // all other hosts.
                let turns = sources.compactMap(\.fleetRequestsPerSecond).reduce(0) {
                    $0 + definition.hosts.count / $1 + 1
                }
                return (layer.name, .seconds(layer.sampleSeconds + look + turns))
            }
        ) { $1 }
        let isAsking = definition.authority != nil || definition.plan.holdPoints != nil
        leaves = isAsking ? HostLeaves(of: definition.plan, over: definition.hosts) : nil
        order = PlacementOrder(batches)
        placements = Dictionary(grouping: order.placements, by: \.host)
    }

    package static func == (left: FrozenRun, right: FrozenRun) -> Bool {
        left === right || left.definition == right.definition
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(definition.planDigest) }
}

extension Plan {
    /// The hosts that give evidence for a layer. Each counts for the layers it belongs to.
    fileprivate var layerVantages: [HostName] {
        evidence.compactMap { surface in if case .layer(let vantage) = surface.scope { vantage } else { nil } }
    }

    /// All sources that a capture of a placement in a layer reads.
    fileprivate func sources(in layer: PlanLayer) -> [SurfaceSource] {
        layer.components.map(\.observe) + layer.components.compactMap { $0.runtime.map { .runtime($0.source) } }
            + [.command(materialization)] + family(of: layer).map(\.source)
            + [representativePath.source]
    }
}

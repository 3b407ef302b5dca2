import AgentProtocol
import AgentRuntime
import RolloutEngine
import UpgradeDomain

/// Keeps the true state outside of the engine and checks every event against it.
final class Checker {
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    unowned let world: World
    private(set) var violation: Violation?
    private var intents: [OperationID: OperationIntent] = [:]
    private var starts: [OperationID: Int] = [:]
    private var epochs: [HostName: Epoch] = [:]
    private var running: [HostName: Set<OperationID>] = [:]
    private var runningForward: [LayerName: Set<OperationID>] = [:]
    private var tombstoned: Set<OperationID> = []
    private var confirmed: Set<OperationID> = []
    private var reverted: Set<OperationID> = []
    /// Placements that passed their gate and have not been changed since.
    private var passed: Set<Placement> = []
    /// Passed placements that have not been verified since a driver took over.
    private var unproved: Set<Placement> = []
    /// A failure is recorded, and no request has answered it yet.
    private var failedHosts: Set<HostName> = []
    /// Hosts whose failed step may run again.
    private var permitted: Set<HostName> = []
    private var closed = false
    private(set) var isQuarantined = false
    /// Hosts that a quarantine has freed: another run may use them.
    private var freedHosts: Set<HostName> = []
    private(set) var lastSequence: UInt64 = 1
    private(set) var latest: RolloutState?
    /// Every event as it was recorded.
    private(set) var events: [RecordedEvent] = []

    init(_ world: World) { self.world = world }

    func require(_ holds: Bool, _ sentence: @autoclosure () -> String) {
        guard !holds, violation == nil else { return }
        violation = Violation(description: "at \(world.time.now) ms: " + sentence())
        world.trace("VIOLATION \(sentence())")
    }

    /// The run's first event.
    func begin(with events: [RecordedEvent]) { self.events = events }

    // MARK: The ledger

    func appended(_ events: [RecordedEvent]) {
        self.events += events
        for event in events { take(event) }
    }

    private func take(_ recorded: RecordedEvent) {
        world.trace("event \(recorded.sequence) \(recorded.event.word)")
        require(recorded.sequence == lastSequence + 1, "sequence numbers have no gap (\(recorded.sequence))")
        require(!closed, "nothing is recorded in a closed run")
        lastSequence = recorded.sequence
        switch recorded.event {
        case .operationIntended(let intent):
            require(intents[intent.id] == nil, "\(intent.id) is intended once")
            intents[intent.id] = intent
            if case .step = intent.action { checkForward(intent) }
        case .requested(let request): answer(request)
        case .operationEnded(let record): ended(record)
        case .operationReverted(let id, _):
            require(reverted.contains(id), "\(id) truly went back")
            failed(id)
        case .operationConfirmed(let id):
            confirmed.insert(id)
            world.sometimes(.confirmed)
            require(!reverted.contains(id), "\(id) is confirmed and has not gone back")
        case .operationTombstoned(let id):
            world.sometimes(.tombstoned)
            tombstoned.insert(id)
            require(starts[id] == nil, "\(id) is tombstoned and never ran")
        case .placementSoaked(let placement, _):
            passed.insert(placement)
            let truth = world.truth(of: placement)
            require(
                truth?.version == "2", "\(placement) passes its gate at its target, not at \(truth?.version ?? "?")")
            require(world.wasHealthy(placement), "\(placement) passes its gate healthy")
        case .hostLost(let loss): if world.isStarted { failed(loss.host) }
        case .deadlinePassed(let record): failed(record.placement.host)
        case .driverAttached(let driver): if driver.epoch > 1 { unproved = passed }
        case .captured(let record):
            guard case .placement(let placement) = record.capture.subject else { break }
            unproved.remove(placement)
            // A placement that is found wrong later is in progress again, not done.
            if record.verdict?.verdict.problem != nil { passed.remove(placement) }
        case .runStarted, .driverDetached, .preflightRecorded, .operationWithdrawn, .operationStarted,
            .operationUncertain, .approvalAwaited, .evidencePruned:
            break
        case .watchInterrupted: world.sometimes(.watchInterrupted)
        }
        world.permissions.take(recorded, permittedToRerun: permitted)
    }

    /// A soak is watched from its beginning to its end by the driver that reports it as passed.
    ///
    /// - Parameter wokenAt: when the driver continued after it had stood still.
    func checkWatched(_ events: [RecordedEvent], since wokenAt: Int64) {
        for case .placementSoaked(let placement, _) in events.map(\.event) {
            let soak = Int64(latest?.plan.layer(placement.layer)?.soakSeconds ?? 0) * 1_000
            require(
                world.time.now >= wokenAt + soak,
                "\(placement) soaks for \(soak) ms after its driver stood still, and not \(world.time.now - wokenAt)")
        }
    }

    func quarantined() {
        world.sometimes(.quarantined)
        closed = true
        isQuarantined = true
    }

    func freed(_ host: HostName) {
        world.trace("free \(host.rawValue)")
        freedHosts.insert(host)
        require(world.hosts[host]?.supervisor == nil, "nothing is under way on \(host) when it is freed")
    }

    private func ended(_ record: OperationRecord) {
        switch record.outcome {
        case .exited, .signaled, .timedOut: require(starts[record.id] != nil, "\(record.id) has a record and ran")
        case .interrupted, .rebooted, .guardrailRefused, .notStarted: break
        }
        if case .interrupted = record.outcome { world.sometimes(.interrupted) }
        if case .rebooted = record.outcome { world.sometimes(.rebootDuringOperation) }
        if let intent = intents[record.id], case .step = intent.action, record.outcome != .exited(code: 0) {
            failed(record.id)
        }
    }

    private func failed(_ id: OperationID) { if let host = intents[id]?.placement.host { failed(host) } }

    private func failed(_ host: HostName) { if !world.retired.contains(host) { failedHosts.insert(host) } }

    private func answer(_ request: Request) {
        switch request.action {
        case .resume:
            for host in failedHosts where !world.retired.contains(host) {
                for placement in world.placements(of: host) {
                    require(
                        world.truth(of: placement)?.version != "between",
                        "\(placement) is not half done when the run goes on")
                }
            }
            failedHosts = []
            permitted = []
        case .abort: failedHosts = []
        case .rerun(let host, _, _): permitted.insert(host)
        case .finalize, .supersede: closed = true
        case .cancel:
            closed = true
            require(starts.isEmpty, "a cancelled run has run nothing: \(starts.keys.sorted().map(\.rawValue))")
        case .pause, .rollback, .recheck, .signOff, .rebind, .retire, .approveRecovery, .present: break
        }
    }

    /// Checks what may start forward now by the true state, not by the engine's.
    private func checkForward(_ intent: OperationIntent) {
        if permitted.contains(intent.placement.host) { return }
        require(
            failedHosts.isEmpty,
            "after a failure of \(failedHosts.sorted().map(\.rawValue)) nothing goes forward unasked: \(intent.id)")
        let trusted = unproved.filter { !world.retired.contains($0.host) }
        require(trusted.isEmpty, "what was done is proved again before \(intent.id): \(trusted.sorted())")
        for earlier in world.placements(before: intent.placement) where !world.retired.contains(earlier.host) {
            let truth = world.truth(of: earlier)
            require(
                passed.contains(earlier) && truth?.version == "2",
                "\(intent.id) starts when \(earlier) has passed and runs its target (\(truth?.version ?? "?"))")
        }
        passed.remove(intent.placement)
        unproved.remove(intent.placement)
    }

    /// A request to start something leaves the newest driver.
    func sent(_ start: StartRequest) {
        guard case .step = start.intent.action, !permitted.contains(start.intent.placement.host) else { return }
        require(
            failedHosts.isEmpty,
            "\(start.intent.id) is not sent any more once \(failedHosts.sorted().map(\.rawValue)) failed")
    }

    // MARK: Hosts

    func scriptBegan(_ intent: OperationIntent, on host: SimulatedHost) {
        world.trace("script \(intent.id)")
        starts[intent.id, default: 0] += 1
        require(starts[intent.id] == 1, "\(intent.id) runs once")
        require(!tombstoned.contains(intent.id), "\(intent.id) is tombstoned and never runs")
        let change = intents.values.first { $0.revert?.id == intent.id }
        if let change { reverted.insert(change.id) }
        let known = intents[intent.id] ?? change
        require(known != nil, "\(intent.id) has a durable intent")
        require(
            known?.placement == intent.placement && known?.placement.host == host.name
                && known?.planDigest == intent.planDigest && known?.epoch == intent.epoch,
            "\(intent.id) is what was intended")
        require(!world.excluded.contains(host.name), "\(host.name) takes no part and receives nothing")
        require(!world.copied.contains(host.name), "\(host.name) follows a copy of the ledger and is left alone")
        require(!freedHosts.contains(host.name), "\(host.name) is free, and runs nothing of the run any more")
        running[host.name, default: []].insert(intent.id)
        require(running[host.name]?.count == 1, "one script at a time on \(host.name)")
        if case .step = intent.action {
            runningForward[intent.placement.layer, default: []].insert(intent.id)
            require(
                (runningForward[intent.placement.layer]?.count ?? 0) <= world.maxInFlight(intent.placement.layer),
                "no more than max in flight in \(intent.placement.layer)")
        }
        world.forgetSamples(of: intent.placement)
        if change != nil, let change { require(!confirmed.contains(change.id), "\(change.id) was confirmed") }
        passed.remove(intent.placement)
    }

    /// Whether the host has an intent that is not known to have ended.
    func hasOpenIntent(on host: HostName) -> Bool {
        latest?.openOperations.contains { intents[$0]?.placement.host == host } ?? false
    }

    func hasRun(_ id: OperationID) -> Bool { starts[id] != nil }

    func scriptIsOver(_ intent: OperationIntent, on host: SimulatedHost) {
        running[host.name]?.remove(intent.id)
        runningForward[intent.placement.layer]?.remove(intent.id)
    }

    func sawFence(of host: SimulatedHost) {
        guard let fence = try? host.state.fence() else { return }
        require(fence.highestEpoch >= epochs[host.name] ?? 0, "the epoch of \(host.name) never falls")
        epochs[host.name] = fence.highestEpoch
    }

    // MARK: States

    func sawState(_ state: RolloutState, of node: Int) {
        if let latest, latest.sequence > state.sequence { return }
        let before = latest
        latest = state
        if let failure = state.failures.last, failure.problem.code == .illegalMove {
            require(false, "what is recorded fits: \(failure.problem.detail)")
        }
        switch state.status {
        case .verified, .verifiedExcept:
            for placement in state.orderedPlacements where state.retired[placement.host] == nil {
                require(
                    world.truth(of: placement)?.version == "2", "a verified run runs its target on \(placement)")
            }
            world.sometimes(.endedVerified)
        case .rolledBack(.verified): world.sometimes(.endedRolledBack)
        case .held:
            if !state.openOperations.isEmpty { world.sometimes(.heldWithOperationsInFlight) }
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .paused, .rollingBack, .rolledBack,
            .aborted, .finalized,
            .cancelled, .superseded:
            break
        }
        for placement in state.orderedPlacements
        where state.placements[placement]?.phase == .rolledBack(.verified)
            && before?.placements[placement]?.phase != .rolledBack(.verified)
        {
            require(
                world.truth(of: placement)?.version == "1", "\(placement) is rolled back, verified, and at its source")
            require(world.wasHealthy(placement), "\(placement) is rolled back, verified, and was seen healthy")
        }
        require(state.sequence < World.eventLimit, "a run has a bounded number of events")
    }
}

extension RunEvent {
    /// A line of the trace; cheap, because there are many.
    fileprivate var word: String {
        switch self {
        case .runStarted: "started"
        case .driverAttached(let driver): "driver attached, epoch \(driver.epoch)"
        case .driverDetached: "driver detached"
        case .requested(let request):
            if case .present(let given) = request.action {
                "presented with \(given.signatures.count) signatures: \(given.text)"
            } else {
                "requested \(request.action)"
            }
        case .preflightRecorded(let record): "preflight of \(record.host.rawValue)"
        case .captured(let record):
            "captured \(record.capture.subject.description), \(record.capture.surfaces.count) surfaces"
        case .operationIntended(let intent): "intended \(intent.id.rawValue)"
        case .operationWithdrawn(let id, _): "withdrawn \(id.rawValue)"
        case .operationStarted(let id): "begun \(id.rawValue)"
        case .operationUncertain(let id, let detail): "uncertain \(id.rawValue): \(detail)"
        case .operationEnded(let record): "ended \(record.id.rawValue): \(record.outcome)"
        case .operationConfirmed(let id): "confirmed \(id.rawValue)"
        case .operationReverted(let id, _): "reverted \(id.rawValue)"
        case .operationTombstoned(let id): "tombstoned \(id.rawValue)"
        case .placementSoaked(let placement, _): "soaked \(placement.description)"
        case .deadlinePassed(let record): "deadline of \(record.placement.description)"
        case .watchInterrupted(let interruption):
            "nobody looked for \(interruption.seconds) s at \(interruption.placement?.description ?? "anything")"
        case .approvalAwaited(let wait): "waits: \(wait.lacking)"
        case .evidencePruned: "pruned"
        case .hostLost(let loss): "lost \(loss.host.rawValue): \(loss.code.rawValue)"
        }
    }
}

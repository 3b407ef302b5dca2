import AgentProtocol
import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunRecord
import RunViews
import UpgradeDomain

/// A coordinator process was killed; its next actions do not happen.
struct ProcessDied: Error {}

/// The disk under the ledger is full.
struct NoSpaceLeft: Error {}

/// An event cannot be read.
struct RecordIsBroken: Error {}

/// One coordinator process: the real driver over a simulated network and the real ledger. It may be killed or stopped
/// whenever it touches anything outside of itself.
final class CoordinatorNode: RunLog, HostConnector, @unchecked Sendable {
    unowned let world: World
    /// The world's executor, as for everything else that runs in it.
    var executor: (any TaskExecutor)? { nil }
    let number: Int
    var wallOffset: Int64 = 0
    /// How much later its wall clock is each time it is read again in the same virtual millisecond.
    private static let millisecondsPerRead: Int64 = 500
    private var lagged: Int64 = 0
    private var lastRead: Int64 = 0
    private(set) var isDead = false
    private(set) var hasEnded = false
    private var isSuspended = false
    /// Slightly longer than a driver may stand still while the time still counts as watched.
    private static let longestUnseen: Int64 = 6_500
    /// When it continued after it had stood still for longer.
    private var wokenAt: Int64?
    /// Whether its first record may be something that it decided before it stood still.
    private var hasRecordedSince = false
    private var waiting: [UnsafeContinuation<Void, Never>] = []
    private var lease: Lease?
    private(set) var epoch: Epoch = 0
    /// The token of its lease; nil before it has one.
    private(set) var token: LeaseToken?
    private var driver: RunDriver?

    init(_ number: Int, in world: World) {
        self.world = world
        self.number = number
        log = LedgerRunLog(ledger: world.ledger)
    }

    // MARK: Life cycle

    func live(takingOver: Bool) async {
        do {
            let lease = try await world.ledger.acquireLease(
                on: World.run, user: "op", machine: "node-\(number)", processID: Int32(number), takingOver: takingOver,
                at: wall)
            self.lease = lease
            epoch = lease.epoch
            token = lease.token
            let driver = try await RunDriver(
                run: World.run, ledger: world.ledger.id, driver: lease.driver, token: lease.token, version: "simulated",
                log: self,
                connector: self, clock: clock,
                observe: { [weak self] state in self?.world.checker.sawState(state, of: self?.number ?? 0) })
            self.driver = driver
            switch try await driver.drive() {
            case .atRest(let state): try compareWithFold(state)
            case .detached: break
            case .deposed: world.sometimes(.deposed)
            }
        } catch is ProcessDied {
            world.trace("node \(number) died")
        } catch {
            world.trace("node \(number) ended: \(error)")
        }
        release()
        driver = nil
        hasEnded = true
    }

    /// Sets the run aside, asks each host that still belongs to it, and frees those that have nothing under way.
    func quarantine() async {
        do {
            let lease = try await world.ledger.quarantine(
                World.run, reason: "simulated", by: "op", machine: "node-\(number)", processID: Int32(number), at: wall)
            self.lease = lease
            epoch = lease.epoch
            token = lease.token
            world.checker.quarantined()
            let met = RunHosts(world.checker.events.map(\.event))
            let claimed = try await world.ledger.claimedHosts(of: World.run)
            let hello = DrivingHello(ledger: world.ledger.id, fence: lease.fence, record: self)
            let settlement = FleetSettlement(
                of: World.run, connector: self, ledger: world.ledger.id, hello: hello, identities: met.identities,
                clock: clock)
            let found = await settlement.findings(on: claimed.compactMap { met.hosts[$0] })
            try await passOrDie()
            for (host, answer) in zip(claimed, found) {
                try await free(host, answer, wasMet: met.identities[host] != nil)
            }
        } catch {
            world.trace("node \(number) ended: \(error)")
        }
        release()
        hasEnded = true
    }

    /// A host that the run never reached has none of its changes, and is abandoned once no fault can hide it any more.
    private func free(
        _ host: HostName, _ answer: Result<FleetSettlement.Findings, ContactFailure>, wasMet: Bool
    ) async throws {
        let fate: HostFate
        switch answer {
        case .success(let findings) where findings.isSettled: fate = .settled
        case .failure where !wasMet && !world.faults.isOn: fate = .abandoned
        case .success, .failure: return
        }
        try await world.ledger.free(
            host, of: World.run, as: fate, reason: "simulated", remembering: [], by: "op", at: wall)
        world.checker.freed(host)
    }

    private func compareWithFold(_ live: RolloutState) throws {
        // Folded from the events alone, with another clock than during the run.
        guard !isDead, let folded = world.fold() else { return }
        world.checker.require(
            Projection(live) == Projection(folded), "folding the ledger gives the state that was lived")
        let kept = try world.ledger.assumeIsolated { try $0.overview(of: World.run, build: OverviewKeeper.format) }
        world.checker.require(
            try kept.map { try RunReport($0) } == RunReport(folded), "the overview that is kept is that of the events")
    }

    func stop() { Task { await driver?.requestStop() } }

    func die() {
        guard !isDead, !hasEnded else { return }
        isDead = true
        world.hasCrashed = true
        world.sometimes(.coordinatorDied)
        release()
        world.network.loseConnections(of: self)
        goOn()
    }

    func suspend(milliseconds: Int64) {
        isSuspended = true
        if milliseconds > CoordinatorNode.longestUnseen {
            wokenAt = world.time.now + milliseconds
            hasRecordedSince = false
        }
        world.time.after(milliseconds) { [weak self] in self?.goOn() }
    }

    private func goOn() {
        isSuspended = false
        let all = waiting
        waiting = []
        for continuation in all { continuation.resume() }
    }

    /// The lock of the lease ends with the process.
    private func release() {
        lease?.release()
        lease = nil
    }

    /// At each contact with the world a process may be stopped for a while or be dead.
    func pass() async throws(ContactFailure) {
        while isSuspended { await withUnsafeContinuation { waiting.append($0) } }
        if isDead { throw ContactFailure(.hostUnreachable, "the process died") }
    }

    private func passOrDie() async throws {
        while isSuspended { await withUnsafeContinuation { waiting.append($0) } }
        if isDead { throw ProcessDied() }
    }

    // MARK: Clocks

    var wall: WallTime { WallTime(clamping: World.epochMilliseconds + world.time.now + wallOffset + lag()) }

    /// Virtual time stands still while the process computes. Where approvals end, it matters that real time does not.
    private func lag() -> Int64 {
        guard world.approvals.basis != .claims else { return 0 }
        lagged = world.time.now == lastRead ? lagged + CoordinatorNode.millisecondsPerRead : 0
        lastRead = world.time.now
        return lagged
    }

    private var clock: RuntimeClock {
        RuntimeClock(
            monotonic: { [world] in MonotonicTime(sinceStart: .milliseconds(world.time.now)) },
            wall: { [unowned self] in wall },
            sleep: { [world] (duration: Duration) async throws(CancellationError) in
                let whole = duration.components
                try await world.rest(whole.seconds * 1_000 + whole.attoseconds / 1_000_000_000_000_000)
            })
    }

    // MARK: The ledger

    private let log: LedgerRunLog

    func events(of run: RunID, after sequence: UInt64) async throws -> [RecordedEvent] {
        try await passOrDie()
        // The ledger is read after a crash and at the end, and compared with the recorded events; otherwise those
        // events are used directly.
        if world.recordIsBroken, sequence == 0 { throw RecordIsBroken() }
        guard world.hasCrashed else { return Array(world.checker.events.dropFirst(Int(sequence))) }
        world.hasCrashed = false
        let events = try await log.events(of: run, after: 0)
        world.checker.require(events == world.checker.events, "the ledger gives back what was recorded")
        return Array(events.dropFirst(Int(sequence)))
    }

    func append(
        _ events: [RunEvent], with evidence: [[UInt8]], to state: RolloutState, at wall: WallTime, epoch: Epoch?
    ) async throws -> AppendOutcome {
        try await passOrDie()
        world.commits += 1
        let fault = world.faults.strike(.commit(world.commits))
        switch fault {
        case .coordinatorDies(afterwards: false)?:
            world.noteDeath(before: events)
            die()
            throw ProcessDied()
        case .ledgerDiskFull?:
            world.sometimes(.ledgerDiskFull)
            if world.checker.latest?.isHeld == true { world.sometimes(.ledgerDiskFullWhileHeld) }
            throw NoSpaceLeft()
        default: break
        }
        let outcome = try await log.append(events, with: evidence, to: state, at: wall, epoch: epoch)
        guard case .appended(let recorded) = outcome else { return outcome }
        world.checker.appended(recorded)
        if let wokenAt, hasRecordedSince { world.checker.checkWatched(recorded, since: wokenAt) }
        hasRecordedSince = wokenAt.map { world.time.now >= $0 } ?? false
        world.checker.require(epoch == world.highestEpoch, "only the newest driver records")
        if case .coordinatorDies(afterwards: true)? = fault {
            world.noteDeath(after: events)
            die()
            throw ProcessDied()
        }
        world.apply(fault, by: self)
        return outcome
    }

    func origin(of epoch: Epoch) async throws -> EpochOrigin {
        try await passOrDie()
        return try await log.origin(of: epoch)
    }

    // MARK: Hosts

    func connect(to host: Host) async throws(ContactFailure) -> any AgentChannel {
        try await world.network.connect(self, to: host.name)
    }
}

/// The part of a state that must be equal live and folded: everything but monotonic clock marks and what only this
/// process knows of its own messages.
struct Projection: Hashable {
    private let status: String
    private let stage: Stage
    private let pending: PendingSubjects
    private let placements: [Placement: [String]]
    private let operations: [OperationID: OperationState.Fate]
    private let failures: [Failure]
    private let sequence: UInt64

    init(_ state: RolloutState) {
        status = state.status.description
        stage = state.stage
        pending = state.pending
        placements = state.placements.all.mapValues {
            [
                "\($0.phase)", "\($0.attempt)", "\($0.rollbackAttempt)", "\($0.stepsDone)", "\($0.touched)",
                "\($0.recorded)",
            ]
        }
        operations = state.operations.mapValues(\.fate)
        failures = state.failures
        sequence = state.sequence
    }
}

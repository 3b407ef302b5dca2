import AgentProtocol
import AgentRuntime
import ContentDigest
import CoordinatorRuntime
import Ledger
import RolloutEngine
import UpgradeDomain

/// One simulated fleet with its coordinators, its operator and its faults, all from one seed.
final class World: @unchecked Sendable {
    static let run: RunID = "r-1"
    static let changingStep: StepName = "redeploy"
    static let epochMilliseconds: Int64 = 1_700_000_000_000
    /// More events than any run of this size needs.
    static let eventLimit: UInt64 = 3_000
    static let stepLimit = 60_000

    let seed: UInt64
    let time: VirtualTime
    let ledger: Ledger
    private(set) var definition: RunDefinition
    private(set) var hosts: [HostName: SimulatedHost] = [:]
    private(set) var excluded: Set<HostName> = []
    private(set) var network: SimulatedNetwork!
    private(set) var checker: Checker!
    private(set) var permissions: PermissionTruth!
    private(set) var people: SimulatedPeople!
    let approvals: SimulatedApprovals
    var faults: FaultPlan
    var generator: SeededGenerator
    var commits = 0
    private var scripts = 0
    var nodes: [CoordinatorNode] = []
    /// Whether a coordinator has died since the whole ledger was last read.
    var hasCrashed = false
    var unreachable: Set<HostName> = []
    var retired: Set<HostName> = []
    /// Hosts that a copy of the ledger drove last.
    var copied: Set<HostName> = []
    /// Whether the run's record can no longer be read completely: its driver goes on with what it has read.
    private(set) var recordIsBroken = false
    private(set) var met: Set<Sometimes> = []
    private var samples: [Placement: [(at: Int64, isHealthy: Bool)]] = [:]
    /// The trace, if it was requested.
    private(set) var lines: [String] = []
    /// Whether the person has left for good.
    var isOver = false
    private let keepsTrace: Bool
    /// The last fold, which is continued with the events recorded since.
    private var folded: RolloutState?

    /// - Parameters:
    ///   - faults: nil for those that the seed draws.
    ///   - lockPath: the folder of the leases' lock files.
    init(seed: UInt64, faults chosen: [Fault]?, lockPath: String, keepsTrace: Bool) throws {
        self.seed = seed
        self.keepsTrace = keepsTrace
        time = VirtualTime()
        GlobalExecutorHook.scheduler = time
        var drawing = SeededGenerator(seed: seed)
        let fleet = SimulatedFleet.draw(&drawing)
        let drawn = Fault.draw(&drawing, hosts: fleet.inventory.hosts.map(\.name))
        generator = SeededGenerator(seed: seed ^ 0x5eed)
        faults = FaultPlan(chosen ?? drawn)
        ledger = try Ledger.inMemory(named: lockPath, id: "l-simulated", on: time)
        let (definition, events, grants) = try ledger.assumeIsolated { try fleet.start(in: $0) }
        self.definition = definition
        approvals = fleet.approvals
        excluded = Set(fleet.plan.exclusions.map(\.host))
        network = SimulatedNetwork(in: self)
        checker = Checker(self)
        checker.begin(with: events)
        permissions = PermissionTruth(self, approvals, grants)
        people = SimulatedPeople(self, approvals, try StatementMaker(definition, approvals))
        for host in fleet.inventory.hosts {
            hosts[host.name] = SimulatedHost(host.name, layers: host.placements.map(\.layer), in: self)
        }
        for (at, kind) in faults.timed { time.after(at) { [weak self] in self?.applyTimed(kind) } }
    }

    /// The faults that a seed draws.
    static func faults(of seed: UInt64) -> [Fault] {
        var drawing = SeededGenerator(seed: seed)
        let fleet = SimulatedFleet.draw(&drawing)
        return Fault.draw(&drawing, hosts: fleet.inventory.hosts.map(\.name))
    }

    // MARK: Time and chance

    func delay(_ range: ClosedRange<Int>) -> Int64 { Int64(generator.pick(range)) }

    func pause(_ milliseconds: Int64) async {
        await withUnsafeContinuation { continuation in time.after(milliseconds) { continuation.resume() } }
    }

    /// Sleeps in virtual time; a cancelled sleeper wakes up at once.
    func rest(_ milliseconds: Int64) async throws(CancellationError) {
        let sleeper = Sleeper()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                sleeper.continuation = continuation
                if Task.isCancelled { return sleeper.wake() }
                sleeper.timer = time.after(max(1, milliseconds)) { sleeper.wake() }
            }
        } onCancel: {
            sleeper.wake()
        }
        if Task.isCancelled { throw CancellationError() }
    }

    private final class Sleeper: @unchecked Sendable {
        var continuation: UnsafeContinuation<Void, Never>?
        var timer: VirtualTime.Timer?

        func wake() {
            timer?.cancel()
            let waiting = continuation
            continuation = nil
            waiting?.resume()
        }
    }

    // MARK: Notes and traces

    func trace(_ line: @autoclosure () -> String) {
        if keepsTrace { lines.append("\(time.now) \(line())") }
    }

    func sometimes(_ what: Sometimes) { met.insert(what) }

    func sampled(_ placement: Placement, _ isHealthy: Bool) {
        samples[placement, default: []].append((time.now, isHealthy))
        if samples[placement, default: []].count > 64 { samples[placement]?.removeFirst(32) }
    }

    /// Forgets the samples, because those before a change say nothing about the state after it.
    func forgetSamples(of placement: Placement) { samples[placement] = nil }

    var highestEpoch: Epoch { nodes.map(\.epoch).max() ?? 0 }

    /// Whether a sample that a decision may use now saw a placement healthy.
    func wasHealthy(_ placement: Placement) -> Bool {
        samples[placement, default: []].contains { $0.isHealthy && $0.at >= time.now - 90_000 }
    }

    // MARK: The plan and the true state

    var isStarted: Bool { scripts > 0 }

    func truth(of placement: Placement) -> Truth? { hosts[placement.host]?.truth[placement.layer] }

    func placements(of host: HostName) -> [Placement] {
        definition.plan.layers.map { Placement(host: host, layer: $0.name) }.filter { truth(of: $0) != nil }
    }

    var allPlacements: [Placement] { definition.hosts.flatMap { placements(of: $0.name) } }

    /// The names of the steps that run on a placement, in order.
    func steps(of placement: Placement) -> [StepName] {
        definition.plan.layer(placement.layer)?.steps.map(\.name) ?? []
    }

    /// The number of a placement's batch in its layer, from 0.
    func batch(of placement: Placement) -> Int? {
        definition.plan.layer(placement.layer)?.batches(over: definition.hostNames(in: placement.layer))
            .firstIndex { $0.placements.contains(placement) }
    }

    /// The placements of all boundaries before a placement's own.
    func placements(before placement: Placement) -> [Placement] {
        var earlier: [Placement] = []
        for layer in definition.plan.layers {
            for batch in layer.batches(over: definition.hostNames(in: layer.name)) {
                if batch.placements.contains(placement) { return earlier }
                earlier += batch.placements
            }
        }
        return earlier
    }

    func maxInFlight(_ layer: LayerName) -> Int { definition.plan.layer(layer)?.maxInFlight ?? 0 }

    /// What a person's command sees: the fold of all that was recorded.
    func fold() -> RolloutState? {
        let now = MonotonicTime(sinceStart: .milliseconds(time.now))
        if var state = folded {
            for event in checker.events.dropFirst(Int(state.sequence)) { state.apply(event, at: now) }
            folded = state
        } else {
            folded = RolloutState.fold(checker.events, at: now)
        }
        return folded
    }

    /// Where the run stands.
    var boundary: String? { fold()?.boundary.description }

    /// How many steps of a placement have passed in its present attempt.
    func stepsDone(of placement: Placement) -> Int? { fold()?.placements[placement]?.stepsDone }

    /// Folds from the first event, after a check that the ledger returns the same events.
    func foldOfLedger() -> RolloutState? {
        guard let events = try? ledger.assumeIsolated({ try $0.allEvents(of: World.run) }) else { return nil }
        checker.require(events == checker.events, "the ledger gives back what was recorded")
        folded = nil
        return fold()
    }

    // MARK: Faults

    /// How a script that begins now will end.
    func fate(ofScriptOf intent: OperationIntent, on host: SimulatedHost) -> ScriptFate {
        scripts += 1
        switch faults.strike(.script(scripts)) {
        case .fate(let fate)?: return fate
        case .supervisorDies(let after)?:
            time.after(after) { host.killSupervisor() }
            return .passes
        case .reboot(let after, let down)?:
            time.after(after) { host.reboot(downMilliseconds: down) }
            return .passes
        default: return .passes
        }
    }

    /// Applies a fault that may hit a process at any point.
    func apply(_ kind: Fault.Kind?, by node: CoordinatorNode) {
        if case .coordinatorSuspended(let milliseconds)? = kind { node.suspend(milliseconds: milliseconds) }
    }

    private func applyTimed(_ kind: Fault.Kind) {
        guard faults.isOn else { return }
        trace("fault \(kind)")
        switch kind {
        case .unreachable(let name, let milliseconds):
            unreachable.insert(name)
            if let host = hosts[name] { network.loseConnections(to: host) }
            time.after(milliseconds) { [weak self] in self?.unreachable.remove(name) }
        case .hostDiskFull(let name, let milliseconds):
            hosts[name]?.disk.isFull = true
            time.after(milliseconds) { [weak self] in self?.makeRoom(on: name) }
        case .degrades(let name):
            guard let host = hosts[name], let layer = host.truth.keys.sorted().first else { return }
            host.truth[layer]?.isHealthy = false
        case .hostClockJumps(let name, let milliseconds):
            sometimes(.clockJumped)
            hosts[name]?.wallOffset += milliseconds
        case .coordinatorClockJumps(let milliseconds):
            sometimes(.clockJumped)
            nodes.last?.wallOffset += milliseconds
        case .takeOver: start(takingOver: true)
        case .copyDrives(let name): copyDrives(name)
        case .recordBreaks: breakRecord()
        case .operatorAsks(let what): interfere(what)
        case .coordinatorDies, .coordinatorSuspended, .ledgerDiskFull, .cut, .blackhole, .duplicate, .supervisorDies,
            .reboot, .fate:
            break
        }
    }

    /// Commands can no longer read the run. Sooner or later somebody ends the driver, perhaps in a hurry.
    private func breakRecord() {
        recordIsBroken = true
        time.after(delay(100...20_000)) { [weak self] in
            guard let self, !isOver else { return }
            for node in nodes { node.die() }
            time.after(delay(1...1_000)) { [weak self] in
                if let self, !isOver, fold()?.isClosed == false { startQuarantine() }
            }
        }
    }

    /// Somebody uses a copy of the ledger on a quiet host: it issues the next epoch as well, with a different token.
    private func copyDrives(_ name: HostName) {
        guard let host = hosts[name], host.isUp, !checker.hasOpenIntent(on: name), let before = fence(of: host),
            let epoch = before.raised(by: 1)
        else { return }
        greet(host, HelloRequest(ledger: ledger.id, epoch: epoch, token: "of a copy"))
        guard fence(of: host) == epoch else { return }
        copied.insert(name)
        sometimes(.copyDrove)
    }

    /// The newest epoch that has driven a host; nil where none has.
    func fence(of host: SimulatedHost) -> Epoch? {
        guard let epoch = try? host.state.fence().highestEpoch, epoch > 0 else { return nil }
        return epoch
    }

    /// Says hello to a host, and leaves.
    func greet(_ host: SimulatedHost, _ hello: HelloRequest) {
        guard let line = try? LineCodec.encode(RequestFrame(id: 1, request: .hello(hello))) else { return }
        let session = host.open { _ in }
        session.receive(line)
        session.isOpen = false
    }

    /// Delivers a request a second time, from a separate session.
    func replay(_ bytes: [UInt8], to host: SimulatedHost, as node: CoordinatorNode, after milliseconds: Int64) {
        let hello = RequestFrame(
            id: 1, request: .hello(HelloRequest(ledger: ledger.id, epoch: node.epoch, token: node.token)))
        guard let greeting = try? LineCodec.encode(hello) else { return }
        time.after(milliseconds) { [weak self] in
            // A read-only session sent no request that could change anything.
            guard let self, host.isUp, let seen = fence(of: host), seen >= node.epoch else { return }
            if let start = SimulatedNetwork.start(in: bytes), checker.hasRun(start.intent.id) {
                sometimes(.duplicateAfterTheEnd)
            }
            let session = host.open { _ in }
            session.receive(greeting)
            session.receive(bytes)
            time.after(5_000) { session.isOpen = false }
        }
    }

    func noteDeath(before events: [RunEvent] = [], after committed: [RunEvent] = []) {
        if committed.contains(where: { if case .operationIntended = $0 { true } else { false } }) {
            sometimes(.diedBetweenIntentAndSend)
        }
        if let state = checker.latest, state.campaign != nil, !state.isAtRest { sometimes(.diedDuringRollback) }
    }

    private func makeRoom(on name: HostName) {
        guard let disk = hosts[name]?.disk, disk.isFull else { return }
        disk.isFull = false
        disk.lastFullAt = time.now
    }

    /// Ends all faults: from now on nothing goes wrong.
    func endFaults() {
        faults.isOn = false
        unreachable = []
        for name in hosts.keys.sorted() { makeRoom(on: name) }
        mendServices()
    }
}

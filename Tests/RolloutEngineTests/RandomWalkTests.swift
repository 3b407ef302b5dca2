import Foundation
import Synchronization
import Testing
import UpgradeDomain

@testable import RolloutEngine

/// Whatever operators request, in whatever order hosts fail, disappear and return, and wherever the coordinator dies:
/// nothing runs twice, nothing new starts after a closed boundary, and there is always a way to end the run.
struct RandomWalkTests {
    /// `SEED=N` runs only that seed, `SEEDS=N` that many seeds.
    static let seeds: Range<UInt64> = {
        func number(_ name: String) -> UInt64? { ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } }
        return number("SEED").map { $0..<($0 + 1) } ?? 0..<(number("SEEDS") ?? 300)
    }()
    static let stepLimit = 800
    /// Run in parallel, because one after the other they would take longer than all other unit tests.
    static let parts: UInt64 = 8

    @Test(arguments: 0..<parts)
    func everyWalkKeepsItsPromises(in part: UInt64) async {
        for seed in RandomWalkTests.seeds where seed % RandomWalkTests.parts == part {
            let walk = await Walked.by(seed)
            #expect(walk.violation == nil, "seed \(seed): \(walk.violation ?? "")\n\(walk.story)")
        }
    }

    /// A request was checked when it was recorded, perhaps by a build with other checks.
    @Test func everyRequestThatIsRecordedAppliesInEveryState() async {
        for seed in RandomWalkTests.seeds.prefix(8) {
            let life = await LivesWithRequests.on(seed)
            #expect(life.applied > 50)
            // A refused transition has held the run by now.
            #expect(life.refused.isEmpty, "seed \(seed)")
        }
    }

    /// Every transition of the diagram is possible: scripted runs cover the rare ones, random walks and requests that
    /// are recorded at any time cover the others.
    @Test func everyArrowOfTheDiagramIsWalked() async throws {
        var open = try DiagramTests.arrows(of: 0)
        open.subtract(RandomWalkTests.rareArrows)
        for seed in RandomWalkTests.seeds where !open.isEmpty {
            open.subtract(await Walked.by(seed).arrows)
            if seed < 8 { open.subtract(await LivesWithRequests.on(seed).arrows) }
        }
        #expect(open.isEmpty, "\(open.map { $0.joined(separator: " -> ") }.sorted())")
    }

    private static var rareArrows: Set<[String]> {
        let first = Placement(host: "d1", layer: "data")
        var lost = EngineHarness(Model.run())
        lost.run { $0.state.placements[first]?.phase == .checked }
        lost.append(.hostLost(HostLoss(host: "d1", code: .hostUnreachable, detail: "no route")))

        var repaired = EngineHarness(Model.run())
        repaired.machines[first]?.afterUpgrade = { $0.statuses["store"] = "down" }
        repaired.run()
        repaired.machines[first]?.statuses["store"] = "up"
        repaired.request(.recheck(host: "d1"))
        repaired.run { $0.state.placements[first]?.phase != .failed }

        // A run that goes on from another one's end finds a host at the target.
        let succession = Succession(
            predecessor: "r-0", baselines: repaired.state.baselines, attempts: [first: 1])
        var adopted = EngineHarness(Model.run(succession: succession))
        adopted.machines[first] = .init(version: "2")
        adopted.run { $0.state.placements[first]?.adopted == true }

        // A host that lost its agent's journal does not know a step that it had begun.
        var forgotten = EngineHarness(Model.run())
        forgotten.run { !$0.state.openOperations.isEmpty }
        for id in forgotten.state.openOperations {
            forgotten.append(.operationStarted(id: id))
            forgotten.append(.operationTombstoned(id: id))
        }
        forgotten.request(.rollback(scope: .all, breakGlass: nil))
        return [lost, repaired, adopted, forgotten].reduce(into: []) { $0.formUnion($1.arrows) }
    }

    /// Records without verdicts, from older builds, are judged by rules 1; newer records by their own verdicts.
    @Test func aRecordWithoutVerdictsIsStillReadByRules1() async {
        var judged = 0
        for seed in RandomWalkTests.seeds.prefix(60) {
            let log = await Walked.by(seed).log
            let bare = log.map { recorded in
                guard case .captured(var record) = recorded.event else { return recorded }
                record.verdict = nil
                var bare = recorded
                bare.event = .captured(record)
                return bare
            }
            if bare != log { judged += 1 }
            #expect(RolloutState.fold(bare, at: .zero) == RolloutState.fold(log, at: .zero), "seed \(seed)")
        }
        #expect(judged > 50)
    }
}

/// What one value is computed from another one once per process, however many tests ask for it.
///
/// Each is a task of its own, so that tests that wait for real servers get their turn in between.
private final class Once<Value: Sendable>: Sendable {
    private let tasks = Mutex<[UInt64: Task<Value, Never>]>([:])

    func value(for seed: UInt64, _ make: @escaping @Sendable () async -> Value) async -> Value {
        await tasks.withLock { tasks in
            let task = tasks[seed] ?? Task { await make() }
            tasks[seed] = task
            return task
        }.value
    }
}

/// What is left of a walk that came to its end. A walk depends on its seed alone.
private struct Walked: Sendable {
    private static let all = Once<Walked>()

    var log: [RecordedEvent]
    var arrows: Set<[String]>
    var violation: String?
    /// Empty if there is no violation.
    var story: String
    var everyAction: [RequestedAction]

    static func by(_ seed: UInt64) async -> Walked {
        await all.value(for: seed) {
            var walk = Walk(seed: seed)
            walk.run()
            return Walked(
                log: walk.harness.log, arrows: walk.harness.arrows, violation: walk.violation,
                story: walk.violation == nil ? "" : walk.story, everyAction: walk.everyAction)
        }
    }
}

/// The states of a walk, each with every kind of request recorded in it and then the events that were recorded after it.
private struct LivesWithRequests: Sendable {
    private static let all = Once<LivesWithRequests>()

    /// How many requests were applied.
    private(set) var applied = 0
    /// The transitions of the diagram that occurred.
    private(set) var arrows: Set<[String]> = []
    /// The transitions that were refused.
    private(set) var refused: [String] = []

    static func on(_ seed: UInt64) async -> LivesWithRequests {
        await all.value(for: seed) {
            let walk = await Walked.by(seed)
            var lives = LivesWithRequests()
            var state = RolloutState.fold(Array(walk.log.prefix(1)), at: .zero)
            for (index, event) in walk.log.dropFirst().enumerated() {
                state?.apply(event, at: .zero)
                guard (UInt64(index) + seed) % 17 == 0, let state else { continue }
                for action in walk.everyAction { lives.add(action, in: state, walk.log[(index + 2)...]) }
            }
            return lives
        }
    }

    /// Applies a request and then the events recorded after it, and evaluates every query.
    private mutating func add(_ action: RequestedAction, in state: RolloutState, _ rest: ArraySlice<RecordedEvent>) {
        var state = state
        let asked = RunEvent.requested(Request(action: action, by: "op", reason: "whatever"))
        for event in [asked] + rest.prefix(6).map(\.event) {
            let recorded = RecordedEvent(
                sequence: state.sequence + 1, recordedAt: WallTime(clamping: 1_000_000), event: event, hash: "sha256:a")
            let before = state.placements.all
            state.apply(recorded, at: .zero)
            arrows.formUnion(state.arrows(since: before))
            _ = (
                state.status, state.boundaryRecord, state.next(at: .zero, WallTime(clamping: 0)),
                state.refusal(of: action)
            )
            for (placement, own) in state.placements.all where own.refusedMove != nil {
                refused.append("\(placement) after \(action): \(String(describing: own.refusedMove))")
            }
        }
        applied += 1
    }
}

/// One seeded walk: a fleet with its faults and operators.
private struct Walk {
    private(set) var harness: EngineHarness
    private(set) var violation: String?
    private(set) var requests: [String] = []
    private var dice: Dice
    /// Effects in progress with their future results: requests, crashes and losses happen in between.
    private var inFlight: [(effect: Effect, learnt: [RunEvent])] = []
    private let isInterleaved: Bool
    private let hosts: [HostName]

    init(seed: UInt64) {
        dice = Dice(state: seed)
        isInterleaved = seed % 4 != 0
        let layers = [
            Model.layer("data") { $0.maxInFlight = 2 },
            Model.layer("core") { layer in
                layer.steps = [
                    Step(name: "drain", command: Model.command, once: true),
                    Step(name: "redeploy", command: Model.command, idempotent: true),
                ]
            }, Model.layer("edge"),
        ]
        let fleet: [(HostName, [LayerName])] = [
            ("d1", ["data"]), ("all", ["data", "core", "edge"]), ("c1", ["core"]), ("c2", ["core"]), ("e1", ["edge"]),
        ]
        hosts = fleet.map(\.0)
        harness = EngineHarness(Model.run(layers, hosts: fleet))
        for placement in harness.state.orderedPlacements where dice.oneIn(6) { damage(placement) }
    }

    /// Every kind of request, for existing and non-existing hosts and layers.
    var everyAction: [RequestedAction] {
        let named = hosts + ["nobody"]
        let approval = RecoveryApproval(owner: "stranger", action: .rollback, boundary: .end, hosts: named)
        let scopes = [RollbackScope.layer(name: "core"), .layer(name: "none"), .all] + named.map { .host(name: $0) }
        return [.pause, .resume, .abort, .finalize, .cancel, .supersede(by: "r-2"), .approveRecovery(approval)]
            + scopes.map { .rollback(scope: $0, breakGlass: "stranger") }
            + named.flatMap { host in
                [
                    RequestedAction.recheck(host: host), .rerun(host: host, signedOffBy: nil),
                    .rerun(host: host, signedOffBy: nil, from: "redeploy"),
                    .rerun(host: host, signedOffBy: nil, from: "none"),
                    .signOff(hosts: [host], owner: "stranger"), .retire(host: host, owner: "stranger"),
                    .rebind(host: host, address: "new", port: 22, hostKeys: []),
                ]
            }
    }

    /// The state of the walk and its history, for a failing seed.
    var story: String {
        let state = harness.state
        let phases = state.orderedPlacements.map { "\($0) \(state.placements[$0]?.phase.kind.rawValue ?? "")" }
        let failures = state.unresolvedFailures.map {
            "\($0.subject?.description ?? $0.host?.rawValue ?? "") \($0.problem.code.rawValue)"
        }
        let events = harness.log.suffix(40).map { event in
            "\(event.sequence) \(event.event)".replacing("UpgradeDomain.", with: "").prefix(130)
        }
        return """
            \(state.status), at \(state.boundary), resume: \(state.refusal(of: .resume)?.message ?? "may go")
            \(phases.joined(separator: "; "))
            open: \(failures.joined(separator: "; ")); operations: \(state.openOperations.sorted())
            \(events.joined(separator: "\n"))
            """
    }

    mutating func run() {
        harness.attach()
        for _ in 0..<RandomWalkTests.stepLimit where violation == nil && !harness.state.isClosed {
            if dice.oneIn(12) { disturb() }
            if turn(), inFlight.isEmpty, dice.oneIn(3) { request() }
        }
        guard violation == nil else { return }
        settle()
    }

    // MARK: Steps

    /// Makes one step and checks the promises after it.
    ///
    /// - Returns: whether the run is at rest now.
    private mutating func turn() -> Bool {
        let hadSomethingToDo = step()
        let isAtRest = harness.state.isAtRest
        if !hadSomethingToDo, !isAtRest { violation = "nothing to do and not at rest: \(harness.state.status)" }
        check(isAtRest: isAtRest)
        return isAtRest
    }

    /// Makes one step: an effect begins, or the result of an earlier one is reported.
    ///
    /// - Returns: whether there was anything to do.
    private mutating func step() -> Bool {
        let decision = harness.next
        let records = decision.effects.filter { if case .record = $0 { true } else { false } }
        let begun = Set(inFlight.map(\.effect))
        let ready = decision.effects.filter { !begun.contains($0) }
        if let record = records.first {
            harness.carryOut(record)
        } else if let effect = ready.randomElement(using: &dice), inFlight.isEmpty || !dice.oneIn(3) {
            let learnt = harness.perform(effect)
            if isInterleaved {
                inFlight.append((effect, learnt))
            } else {
                for event in learnt { harness.append(event) }
            }
        } else if !inFlight.isEmpty {
            tell(dice.roll(inFlight.count))
        } else if let wakeAt = decision.wakeAt {
            harness.now = max(wakeAt, harness.now + .milliseconds(1))
        } else {
            return false
        }
        return true
    }

    private mutating func tell(_ index: Int) {
        if let event = inFlight[index].learnt.first { harness.append(event) }
        inFlight[index].learnt = Array(inFlight[index].learnt.dropFirst())
        if inFlight[index].learnt.isEmpty { inFlight.remove(at: index) }
    }

    private mutating func disturb() {
        guard let host = hosts.randomElement(using: &dice) else { return }
        switch dice.roll(6) {
        case 0: setReachable(host, false)
        case 1: setReachable(host, true)
        case 2:
            harness.crash(keeping: harness.log.count)
            inFlight = []
        case 3: for placement in harness.state.placements(of: host) { damage(placement) }
        case 4: for placement in harness.state.placements(of: host) { heal(placement) }
        default: request()
        }
    }

    private mutating func request() {
        guard let host = hosts.randomElement(using: &dice) else { return }
        let actions: [RequestedAction] = [
            .pause, .resume, .resume, .resume, .recheck(host: host), .rerun(host: host, signedOffBy: "own-core"),
            .rerun(host: host, signedOffBy: "own-core", from: "drain"),
            .rerun(host: host, signedOffBy: "own-data", from: "redeploy"),
            .rollback(scope: .host(name: host), breakGlass: nil),
            .rollback(scope: .layer(name: "core"), breakGlass: nil),
            .rollback(scope: .all, breakGlass: nil),
            .signOff(hosts: [host], owner: "own-core"), .rebind(host: host, address: "new", port: 22, hostKeys: []),
        ]
        let rare: [RequestedAction] = [.abort, .retire(host: host, owner: "own-data"), .finalize, .cancel]
        guard let action = (dice.oneIn(25) ? rare : actions).randomElement(using: &dice),
            harness.state.refusal(of: action) == nil
        else { return }
        harness.request(action)
    }

    private mutating func damage(_ placement: Placement) {
        harness.machines[placement]?.script = [
            .passes, .passes, .ends(.exited(code: 1)), .ends(.timedOut(survivors: false)), .neverArrives,
            .losesItsEnd, .ends(.guardrailRefused(guardrail: "g", code: 3)),
        ].randomElement(using: &dice, or: .passes)
        harness.machines[placement]?.rollback = [.passes, .passes, .ends(.exited(code: 1)), .losesItsEnd]
            .randomElement(using: &dice, or: .passes)
        if dice.oneIn(3) { harness.machines[placement]?.statuses["api"] = "down" }
        if dice.oneIn(4) { harness.machines[placement]?.unknown = UnknownReason(.stale, "old") }
    }

    private mutating func heal(_ placement: Placement) {
        let version = harness.machines[placement]?.version ?? "1"
        harness.machines[placement] = .init(version: version)
    }

    private mutating func setReachable(_ host: HostName, _ isReachable: Bool) {
        for placement in harness.state.placements(of: host) { harness.machines[placement]?.isReachable = isReachable }
    }

    // MARK: Promises

    private var lastOrder = 0
    private var wasClosed = false

    private mutating func check(isAtRest: Bool) {
        let state = harness.state
        if let twice = harness.starts.first(where: { $0.value > 1 }) { violation = "\(twice.key) ran twice" }
        if let failure = state.failures.first(where: { $0.problem.code == .illegalMove }) {
            violation = failure.problem.detail
        }
        let table = state.placements
        if let placement = harness.unnamed.first { violation = "\(placement) changed, and the table does not say so" }
        for (placement, own) in table.all {
            let isUnderWay = [.checked, .changing, .warmingUp, .soaking].contains(own.phase)
            if table.waiting.contains(placement) != (own.phase == .waiting)
                || table.underWay.contains(placement) != isUnderWay
            {
                violation = "\(placement) is \(own.phase), and the table has it elsewhere"
            }
            guard let machine = harness.machines[placement] else { continue }
            if own.phase == .rolledBack(.verified), machine.version != "1" {
                violation = "\(placement) counts as rolled back and runs \(machine.version)"
            }
            if own.phase == .soaked, machine.version != "2" { violation = "\(placement) counts as done at the source" }
        }
        if state.isAborted, case .operationIntended(let intent)? = harness.log.last?.event,
            intent.action != .rollback
        {
            violation = "\(intent.id) was intended after the abort"
        }
        // An intent that was decided before the boundary closed may be recorded but is not sent afterwards.
        let started = harness.order.dropFirst(lastOrder)
        lastOrder = harness.order.count
        if wasClosed, state.campaign == nil, let late = started.first, state.placements[late]?.rerun == nil,
            state.unresolvedFailure(of: late) == nil
        {
            violation = "\(late) was changed behind a closed boundary"
        }
        wasClosed = state.isHeld || state.isAborted || state.isPaused
        if state.isCancelled, harness.machines.values.contains(where: { $0.version != "1" }) || !harness.order.isEmpty {
            violation = "cancelled, and something ran"
        }
        if isAtRest, !state.isClosed { checkWayOut(state) }
        if isAtRest, inFlight.isEmpty, !state.isClosed,
            let unsent = state.operations.values.first(where: { operation in
                operation.fate == .intended && !harness.followed.contains(operation.intent.id)
                    && operation.intent.epoch == state.driver?.epoch
            })
        {
            violation = "at rest with the unsent intent \(unsent.intent.id)"
        }
    }

    private mutating func checkWayOut(_ state: RolloutState) {
        let actions =
            [RequestedAction.resume, .rollback(scope: .all, breakGlass: nil), .finalize, .abort]
            + hosts.flatMap { host in
                [
                    RequestedAction.recheck(host: host), .rerun(host: host, signedOffBy: "own-core"),
                    .rollback(scope: .host(name: host), breakGlass: nil), .signOff(hosts: [host], owner: "own-core"),
                ]
            }
        if !state.isAborted, actions.allSatisfy({ state.refusal(of: $0) != nil }) {
            violation = "no way out of \(state.status)"
        }
    }

    /// With every fault repaired, the narrowest recoveries lead to the end; folding the log again gives the same state.
    private mutating func settle() {
        for placement in harness.state.orderedPlacements { heal(placement) }
        for _ in 0..<20 where !harness.state.isClosed && violation == nil {
            var isAtRest = harness.state.isAtRest
            for _ in 0..<RandomWalkTests.stepLimit where (!isAtRest || !inFlight.isEmpty) && violation == nil {
                isAtRest = turn()
            }
            if harness.state.isAborted { return }
            switch harness.state.status {
            case .verified, .verifiedExcept, .rolledBack(.verified): harness.request(.finalize)
            case .paused: harness.request(.resume)
            case .held, .rolledBack, .preflight, .baseline, .changing, .proving, .awaitingApproval, .rollingBack,
                .finalized, .cancelled, .superseded, .aborted:
                recover()
            }
        }
        if violation == nil, !harness.state.isClosed { violation = "never came to an end: \(harness.state.status)" }
    }

    private mutating func recover() {
        let failedHosts = Set(harness.state.unresolvedFailures.compactMap(\.host))
        let scopes = hosts.filter(failedHosts.contains).map { RollbackScope.host(name: $0) } + [.all]
        let failed = scopes.first {
            !failedHosts.isEmpty && harness.state.refusal(of: .rollback(scope: $0, breakGlass: nil)) == nil
        }
        if let failed {
            harness.request(.rollback(scope: failed, breakGlass: nil))
        } else if harness.state.refusal(of: .resume) == nil {
            harness.request(.resume)
        } else if let host = harness.state.unresolvedFailures.compactMap(\.host).first {
            harness.request(.recheck(host: host))
        } else {
            violation = "no way forward from \(harness.state.status)"
        }
    }
}

/// SplitMix64: small, seeded, the same on every machine.
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &self) }
    mutating func oneIn(_ sides: Int) -> Bool { roll(sides) == 0 }
}

extension Array {
    fileprivate func randomElement(using dice: inout Dice, or other: Element) -> Element {
        randomElement(using: &dice) ?? other
    }
}

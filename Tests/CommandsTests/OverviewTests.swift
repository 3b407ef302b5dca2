import ArgumentParser
import ContentDigest
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import SafeText
import Testing
import UpgradeDomain

@testable import Commands
@testable import RunRecord
@testable import RunViews

/// The overview of a run that the ledger stores for `status` always agrees with the run's events.
struct OverviewTests {
    private let live: LiveRun

    init() async throws { live = try await LiveRun() }

    @Test func theStoredOverviewMatchesTheEventsAtEveryEvent() async throws {
        #expect(try await live.stored() == nil, "there is no overview before the first driver")
        live.observe = { live in
            for limit in [nil, 0, 1] {
                let stored = try await live.stored(limit)
                #expect(stored == RunReport(live.state, placementsPerLayer: limit))
            }
        }
        try await live.drive()
        #expect(live.state.status == .held(.stepFailed))
        try await live.request(.rollback(scope: .all, breakGlass: nil))
        try await live.drive()
        #expect(live.state.status == .rolledBack(.verified))
        try await live.request(.finalize)
        #expect(try await live.faults() == [])
    }

    @Test func anAppendWithoutAnOverviewDropsItAndTheNextOneWritesItAgain() async throws {
        try await live.drive()
        try await live.request(.abort, isKept: false)
        #expect(try await live.stored() == nil)
        #expect(try await live.faults() == [], "a missing overview is not a fault of the ledger")
        try await live.request(.rollback(scope: .all, breakGlass: nil))
        #expect(try await live.stored() == RunReport(live.state))
        #expect(try await live.ledger.overview(of: live.run, build: "another") == nil)
    }

    @Test func verifyFindsWhatWasEdited() async throws {
        try await live.drive()
        for (sql, words) in [
            ("UPDATE placement_overviews SET phase = 'waiting' WHERE host = 'data-1'", "the overview of data-1/data"),
            ("DELETE FROM placement_overviews WHERE host = 'core-1'", "the overview of core-1/core"),
            (
                "UPDATE run_overviews SET document = CAST(replace(CAST(document AS TEXT), 'held', 'verified') AS BLOB)",
                "the overview of the run"
            ),
        ] {
            let copy = live.folder + "/" + UUID().uuidString
            try await live.ledger.backup(to: copy)
            let edit = Process()
            edit.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            edit.arguments = [
                "python3", "-c",
                "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(sys.argv[2]); db.commit()", copy,
                sql,
            ]
            try edit.run()
            edit.waitUntilExit()
            #expect(edit.terminationStatus == 0)
            let faults = try await Ledger.openReadOnly(at: copy).verify(followedBy: { OverviewKeeper(at: nil) })
                .chains.flatMap(\.faults).map(\.message)
            #expect(faults.count == 1 && faults[0].hasPrefix(words), "\(faults)")
        }
    }

    /// Its hashes are right, and the overview follows: only the rules say that nobody had asked for it.
    @Test func verifyFindsWhatNobodyHadPermitted() async throws {
        try await live.drive()
        let before = try await live.verified()
        #expect(before.status == .verified, "\(before.text)")
        let placement = Placement(host: "core-1", layer: "core")
        let id = OperationID(run: live.run, placement: placement, action: .step(name: "redeploy"), attempt: 2)
        try await live.append([
            .operationIntended(
                OperationIntent(
                    id: id, placement: placement, action: .step(name: "redeploy"), attempt: 2,
                    boundary: live.state.boundary, planDigest: live.state.definition.planDigest, epoch: 1))
        ])
        let verified = try await live.verified()
        #expect(verified.status == .failure && verified.next == [.showEvents(run: live.run)])
        #expect(
            verified.text.contains("event \(live.state.sequence): notPermitted: nobody had asked for \(id), a rerun"),
            "\(verified.text)")
    }

    /// When an owner's approval of a rollback expires, the next commands change without an event.
    @Test func theNextCommandsFollowTheClock() async throws {
        try await live.drive()
        let report = try #require(try await live.stored())
        for time in [live.state.lastEventAt.milliseconds, 999_999, 1_000_000, 9_000_000] as [Int64] {
            let wall = WallTime(clamping: time)
            #expect(report.overview.next(at: wall) == live.state.nextCommands(at: wall), "at \(time)")
        }
        let commands = [999_999, 1_000_000].map { report.overview.next(at: WallTime(clamping: $0)).map(\.command) }
        #expect(commands[0] != commands[1])
    }

    /// A command that would be refused is never suggested as the next one, nor is `finalize` after a refused rollback.
    @Test func noSuggestedCommandWouldBeRefused() async throws {
        func next(_ live: LiveRun, after action: RequestedAction) throws -> OperatorCommand? {
            let wall = live.state.lastEventAt
            let refusal = try #require(live.state.refusal(of: action))
            return CommandError(refusal, of: action, in: live.state, at: wall, consequence: "Nothing was recorded").next
        }
        let low = RequestedAction.rollback(scope: .layer(name: "data"), breakGlass: nil)
        let verified = try await LiveRun(fails: false)
        try await verified.drive()
        #expect(verified.state.status == .verified)
        let instead = OperatorCommand.rollback(
            scope: .layer(name: "core"), run: verified.run, approvedBy: [], reason: .none)
        #expect(try next(verified, after: low) == instead)
        #expect(verified.state.nextCommands(at: verified.state.lastEventAt).map(\.command).count == 2)

        let oneWay = try await LiveRun(fails: false) { $0.layers[1].rollback.boundary = .oneWay }
        try await oneWay.drive()
        #expect(oneWay.state.status == .verified)
        #expect(oneWay.state.nextCommands(at: oneWay.state.lastEventAt).map(\.command) == [.finalize(run: oneWay.run)])
        #expect(try next(oneWay, after: low) == .status(run: oneWay.run))
        #expect(try next(oneWay, after: .abort) == .finalize(run: oneWay.run))
    }

    @Test func aLargeLayerIsShownAsCounts() async throws {
        try await live.drive()
        func lines(_ limit: Int?) async throws -> [TerminalText] {
            let stored = try await live.stored(limit)
            return StatusView(
                report: try #require(stored), now: WallTime(clamping: 9_000), width: 60,
                style: .plain, commandLines: CommandLines()
            ).lines()
        }
        let (counts, rows) = (try await lines(1), try await lines(2))
        let more: TerminalText = "     1 more; list each with"
        #expect(counts.contains("   !        1 failed") && counts.contains("   .        1 waiting"))
        #expect(counts.contains(more) && !rows.contains(more))
        #expect(counts.contains("       lockflight status r-abc123 --all"))
        func lists(_ host: String, _ lines: [TerminalText]) -> Bool {
            lines.contains { $0.written.contains(host) && $0.written.contains("1.5.0") }
        }
        #expect(lists("core-1", counts) && !lists("core-w", counts))
        #expect(lists("core-1", rows) && lists("core-w", rows))
    }
}

/// A run over hosts that all succeed, except for one whose step fails; every event is appended to a real ledger.
private final class LiveRun {
    let folder = NSTemporaryDirectory() + "lockflight-overview-" + UUID().uuidString
    let ledger: Ledger
    let run: RunID = "r-abc123"
    var state: RolloutState
    var observe: (LiveRun) async throws -> Void = { _ in }
    private let lease: Lease
    private let fails: Bool
    private var now = MonotonicTime.zero
    private var wall = WallTime(clamping: 1_000)
    private var upgraded: Set<Placement> = []

    /// The owner's approval of a rollback is valid until then.
    static let approvalEnds = WallTime(clamping: 1_000_000)

    /// - Parameters:
    ///   - fails: whether the step of core-1 fails.
    ///   - change: a change to the plan.
    init(fails: Bool = true, change: (inout Plan) -> Void = { _ in }) async throws {
        self.fails = fails
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        ledger = try await Ledger.open(at: folder + "/ledger.sqlite")
        var definition = try #require(StatusViewTests.state()).definition
        change(&definition.plan)
        definition.ledger = ledger.id
        definition.planDigest = try await ledger.addPlan(definition.plan, at: wall)
        definition.hostsDigest = try Digest.canonical(of: definition.hosts)
        definition.approvals = [
            Approval(
                owner: "ana", planDigest: definition.planDigest, hostsDigest: definition.hostsDigest, claimedBy: "ana",
                approvedAt: wall, rollbackUntil: LiveRun.approvalEnds)
        ]
        definition.owners = ["data": ["ana"], "core": ["ana"]]
        let started = try await ledger.startRun(definition, by: "ana", at: wall)
        state = try #require(RolloutState.fold(started, at: now))
        lease = try await ledger.acquireLease(on: run, user: "ana", machine: "m", processID: 1, at: wall)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func stored(_ limit: Int? = nil) async throws -> RunReport? {
        try await ledger.overview(of: run, build: OverviewKeeper.format, placementsPerLayer: limit).map {
            try RunReport($0)
        }
    }

    func faults() async throws -> [String] {
        try await ledger.verify(followedBy: { OverviewKeeper(at: nil) }).chains.flatMap(\.faults).map(\.message)
    }

    /// What `ledger verify` says.
    func verified() async throws -> CommandResult {
        let context = Context(
            commandLines: CommandLines(), ledgerPath: ledger.path, isJSON: false, style: .plain, width: 80,
            isTerminal: false, environment: [:])
        return try await LedgerVerify.parse([]).perform(context)
    }

    func request(_ action: RequestedAction, isKept: Bool = true) async throws {
        try await append([.requested(Request(action: action, by: "ana"))], isKept: isKept)
    }

    /// Drives the run until it is at rest.
    func drive() async throws {
        try await append([.driverAttached(lease.driver)])
        while !state.isAtRest {
            let decision = state.next(at: now, wall)
            for effect in decision.effects { try await append(answer(effect)) }
            if decision.effects.isEmpty { now = try #require(decision.wakeAt) }
        }
    }

    func append(_ events: [RunEvent], isKept: Bool = true) async throws {
        wall = wall.advanced(byMilliseconds: 100)
        now = now + .milliseconds(100)
        let recorded = try await ledger.append(
            state.judged(events, at: wall), to: run, after: state.sequence, lease: lease.epoch, at: wall,
            followedBy: isKept ? OverviewKeeper(at: state) : nil)
        for event in recorded { state.apply(event, at: now) }
        if isKept { try await observe(self) }
    }

    private func answer(_ effect: Effect) -> [RunEvent] {
        switch effect {
        case .record(let event): return [event]
        case .preflight(let host):
            let facts = PreflightFacts(
                agent: AgentIdentity("agent-\(host)"), bootID: "boot", hostTime: wall, coordinatorTime: wall,
                freeDiskMebibytes: 1_000, missingScripts: [], missingPaths: [])
            return [.preflightRecorded(state.preflightRecord(of: host, facts))]
        case .capture(let order):
            let capture = Capture(
                subject: order.subject, takenAt: wall, surfaces: state.surfaces(for: order).map { read($0, order) })
            return [.captured(CaptureRecord(purpose: order.purpose, capture: capture, orderedAfter: state.sequence))]
        case .start(let intent):
            let isStep = intent.action != .rollback
            let fails = fails && isStep && intent.placement.host == "core-1"
            if isStep { upgraded.insert(intent.placement) } else { upgraded.remove(intent.placement) }
            return [
                .operationStarted(id: intent.id),
                .operationEnded(
                    OperationRecord(id: intent.id, outcome: .exited(code: fails ? 3 : 0), startedAt: wall)),
            ]
        case .settle(let intent): return [.operationTombstoned(id: intent.id)]
        case .confirm(let intent): return [.operationConfirmed(id: intent.id)]
        }
    }

    private func read(_ order: SurfaceOrder, _ capture: CaptureOrder) -> SurfaceReading {
        var reading = SurfaceReading(name: order.surface.name, role: order.role, durationMilliseconds: 1)
        let value = order.role == .version ? version(of: capture.subject) : "200"
        let key = order.role == .version ? order.surface.reader.key[0] : "result"
        reading.items = [EvidenceItem(key: key, value: value, health: .healthy)]
        if order.role == .materialization { reading.instrumentDigest = "sha256:aa" }
        return reading
    }

    private func version(of subject: EvidenceSubject) -> String {
        if case .placement(let placement) = subject, upgraded.contains(placement) { "1.5.0" } else { "1.4.0" }
    }
}

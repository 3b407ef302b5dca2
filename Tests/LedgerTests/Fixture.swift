import ContentDigest
import Foundation
import Ledger
import UpgradeDomain

/// A folder with one ledger and what a run needs; removed on deinit.
final class Fixture: Sendable {
    let folder: String
    var path: String { folder + "/ledger.sqlite" }
    static let now = WallTime(clamping: 1_795_000_000_000)

    init() throws {
        folder = NSTemporaryDirectory() + "lockflight-ledger-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func open() async throws -> Ledger { try await Ledger.open(at: path) }

    /// Opens the ledger with one stored plan and one started run.
    func openWithRun(_ run: RunID = "r-one", hosts: [HostName] = ["core-1", "core-2"]) async throws -> Ledger {
        let ledger = try await open()
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        _ = try await ledger.startRun(Fixture.definition(run, in: ledger, hosts: hosts), by: "ana", at: Fixture.now)
        return ledger
    }

    static func plan(named name: String = "to-1.5.0") -> Plan {
        let script = ScriptCommand(arguments: ["scripts/check.py", "--check"], timeoutSeconds: 30)
        let surface = Surface(
            name: "services", source: .http(HTTPSource(url: "${baseURL}/api/v1/platform/services", timeoutSeconds: 5)),
            reader: Reader(shape: .statusList))
        let layer = PlanLayer(
            name: "core", version: VersionChange(from: "1.4.0", to: "1.5.0"),
            components: [
                Component(
                    name: "platform", version: VersionChange(from: "1.4.0", to: "1.5.0"), observe: .command(script),
                    pointer: "/version")
            ],
            steps: [Step(name: "redeploy", command: script)],
            rollback: RollbackPosture(command: script, boundary: .untilFinalize), batches: [.count(1), .percent(100)],
            soakSeconds: 1, sampleSeconds: 1, healthyWithinSeconds: 10, progressDeadlineSeconds: 60, failedWhen: [])
        return Plan(
            name: name, version: VersionChange(from: "1.4.0", to: "1.5.0"), changeClass: .minor, reviews: [],
            evidence: [surface], materialization: script, guardrails: [], representativePath: surface, layers: [layer])
    }

    static func host(_ name: HostName) -> UpgradeDomain.Host {
        UpgradeDomain.Host(
            name: name, address: "127.0.0.11", user: "ops", workingDirectory: "/srv/stack",
            placements: [HostPlacement(layer: "core", baseURL: "http://127.0.0.11:8080")],
            hostKeys: [HostKey(type: "ssh-ed25519", base64: "AAAA")])
    }

    static func definition(
        _ run: RunID, in ledger: Ledger, hosts names: [HostName], succession: Succession? = nil
    ) throws -> RunDefinition {
        let hosts = names.map(host)
        let plan = plan()
        let planDigest = try Digest.canonical(of: plan)
        let hostsDigest = try Digest.canonical(of: hosts)
        let approval = Approval(
            owner: "team-core", planDigest: planDigest, hostsDigest: hostsDigest, claimedBy: "ana", approvedAt: now)
        return RunDefinition(
            run: run, ledger: ledger.id, plan: plan, planDigest: planDigest, hosts: hosts, hostsDigest: hostsDigest,
            approvals: [approval], succession: succession)
    }

    static func request(_ action: RequestedAction) -> RunEvent { .requested(Request(action: action, by: "ana")) }

    /// One event of every kind that a driver appends, with difficult characters and numbers.
    static func everyDriverEvent(epoch: Epoch, evidence: Digest?) -> [RunEvent] {
        let placement = Placement(host: "core-1", layer: "core")
        let id = OperationID(run: "r-one", placement: placement, action: .step(name: "redeploy"), attempt: 1)
        let reading = SurfaceReading(
            name: "services", role: .family, durationMilliseconds: 12, resultCode: 200, rawDigest: evidence,
            items: [EvidenceItem(key: "a/b \"c\" é \u{1F6A2}\n\u{1}", value: "up", health: .healthy)])
        let capture = Capture(subject: .placement(placement), takenAt: now, surfaces: [reading])
        return [
            .driverAttached(Driver(epoch: epoch, user: "ana", machine: "ops-1", processID: 42)),
            .preflightRecorded(
                PreflightRecord(
                    host: "core-1", agent: "a-1", bootID: "b-1", clockOffsetMilliseconds: -7, freeDiskMebibytes: 900,
                    problems: [PreflightProblem(code: .diskFull, detail: "12 MiB are free")])),
            .captured(
                CaptureRecord(purpose: .boundary(.batch(layer: "core", index: 0)), capture: capture, orderedAfter: 3)),
            .operationIntended(
                OperationIntent(
                    id: id, placement: placement, action: .step(name: "redeploy"), attempt: 1,
                    boundary: .layer("core"), planDigest: "sha256:00", epoch: epoch)),
            .operationWithdrawn(id: id, reason: "the boundary closed"),
            .operationStarted(id: id),
            .operationUncertain(id: id, detail: "the connection ended"),
            .operationEnded(OperationRecord(id: id, outcome: .exited(code: 3), outputTail: "\u{1B}[31mno")),
            .operationConfirmed(id: id),
            .operationReverted(
                id: id, record: OperationRecord(id: "r-one.core-1.core.redeploy.1.revert!", outcome: .rebooted)),
            .operationTombstoned(id: id),
            .placementSoaked(placement: placement, attempt: 1),
            .deadlinePassed(
                DeadlineRecord(kind: .healthy, placement: placement, waitedSeconds: 10, waitingFor: "services")),
            .watchInterrupted(WatchInterruption(placement: placement, seconds: 64)),
            .watchInterrupted(WatchInterruption(placement: nil, seconds: 7)),
            .hostLost(HostLoss(host: "core-2", code: .hostUnreachable, detail: "connection refused")),
            .driverDetached(reason: "Ctrl-C"),
            request(.rollback(scope: .host(name: "core-1"), breakGlass: nil)),
        ]
    }
}

extension Ledger {
    func lease(on run: RunID = "r-one", takingOver: Bool = false) throws(LedgerError) -> Lease {
        try acquireLease(
            on: run, user: "ana", machine: "ops-1", processID: 42, takingOver: takingOver, at: Fixture.now)
    }

    @discardableResult
    func record(
        _ events: [RunEvent], with evidence: [[UInt8]] = [], on run: RunID = "r-one", lease: Epoch? = nil
    ) throws -> [RecordedEvent] {
        try append(
            events, with: evidence, to: run, after: headSequence(of: run), lease: lease, at: Fixture.now)
    }
}

/// Runs a program to its end and returns its exit status and output.
func runProgram(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

/// Edits a closed ledger directly, as someone with access to the file and an SQLite shell could.
func tamper(_ path: String, _ sql: String) throws {
    let script = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1])
        kept = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in kept: db.execute("DROP TRIGGER " + name)
        db.executescript(sys.argv[2])
        for _, sql in kept: db.execute(sql)
        db.commit()
        """
    let result = try runProgram(["python3", "-c", script, path, sql])
    guard result.status == 0 else { throw TamperFailure(output: result.output) }
}

struct TamperFailure: Error {
    var output: String
}

import AgentProtocol
import Foundation
import LabFleet
import SSHTransport
import Subprocess
import SystemPackage
import Testing
import UpgradeDomain

/// Coordinators that die or are stopped, and messages that arrive too late.
struct CrashTests {
    static let three = LabLayout(
        layers: ["core"], members: (1...3).map { .init(HostName("core-\($0)"), layers: ["core"]) })

    /// A redeploy that counts its runs on the host, independently of what Lockflight writes.
    static func counting(_ plan: String) -> String {
        plan.replacingOccurrences(
            of: "run: [bash, ./scripts/redeploy-host-stack.sh, --layer, \"${layer}\", --to, \"${to}\"]",
            with:
                "run: [bash, -c, 'echo ran >>../redeploys; exec bash ./scripts/redeploy-host-stack.sh --layer ${layer} --to ${to}']"
        )
    }

    static func redeploys(_ fleet: FleetFixture, _ host: HostName) throws -> Int {
        let text = try? String(contentsOfFile: try fleet.lab.host(host).root + "/redeploys", encoding: .utf8)
        return text?.split(separator: "\n").count ?? 0
    }

    @Test func aCoordinatorKilledDuringARedeployResumesAndTheScriptRanOnce() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            // The script waits for a lock that a real process holds, so the kill comes while it runs.
            try await fleet.lab.inject(.redeployHangs, on: "core-1", target: "1.5.0")
            try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "the redeploy to begin") { try CrashTests.redeploys(fleet, "core-1") == 1 }
                kill(process, SIGKILL)
            }
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            try await fleet.lab.mend("core-1")
            try await fleet.wait(for: "the redeploy to go on alone") {
                try await fleet.version("core-1", "core") == "1.5.0"
            }
            try await fleet.expect(.verified, "rollout", "resume")
            for host in fleet.lab.hosts {
                #expect(try CrashTests.redeploys(fleet, host.name) == 1)
                #expect(try await fleet.version(host.name, "core") == "1.5.0")
            }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aHostLostDuringItsRedeployIsSettledOnceItAnswersAndTheScriptRanOnce() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            // The host counts as lost after 20 s; its script must run longer.
            try await fleet.approvePlan(to: "1.5.0") {
                CrashTests.counting($0).replacingOccurrences(of: "timeoutSeconds: 20", with: "timeoutSeconds: 120")
                    .replacingOccurrences(of: "progressDeadlineSeconds: 60", with: "progressDeadlineSeconds: 300")
            }
            try await fleet.lab.inject(.redeployHangs, on: "core-1", target: "1.5.0")
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await fleet.wait(for: "the redeploy to begin") { try CrashTests.redeploys(fleet, "core-1") == 1 }
                try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            }
            #expect(outcome.code == FleetFixture.Exit.unreachable.rawValue)
            #expect(try await fleet.holdCode() == "operation-unsettled")
            try await fleet.expect(.refused, "rollout", "resume")
            try await fleet.lab.mend("core-1")
            try await fleet.wait(for: "the redeploy to go on alone") {
                try await fleet.version("core-1", "core") == "1.5.0"
            }
            try await fleet.expect(.verified, "recover", "recheck", "core-1")
            try await fleet.expect(.verified, "rollout", "resume")
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aCoordinatorKilledDuringARollbackIsContinuedByThePrintedCommand() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.withRunning("rollback", "--all") { process in
                try await fleet.wait(for: "the first to go back") {
                    for host in fleet.lab.hosts where try await fleet.version(host.name, "core") == "1.4.0" {
                        return true
                    }
                    return false
                }
                kill(process, SIGKILL)
            }
            guard case .array(let next)? = try await fleet.status().value(at: "/next"),
                let line = next.first?.scalarText
            else { throw CancellationError() }
            #expect(line.hasPrefix("lockflight rollout resume"))
            #expect(try await fleet.status().value(at: "/notDrivenSinceMilliseconds") != nil)
            #expect(try await fleet.run(["status"]).output.contains("not driven since 20"))
            let resumed = try await fleet.runVerbatim(line)
            #expect(resumed.code == FleetFixture.Exit.rolledBackVerified.rawValue, "\(resumed.output)\(resumed.errors)")
            #expect(try await fleet.status().value(at: "/notDrivenSinceMilliseconds") == nil)
            for host in fleet.lab.hosts { #expect(try await fleet.version(host.name, "core") == "1.4.0") }
        }
    }

    @Test func ctrlCStopsStartingWorkAndSaysHowToGoOn() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "core-1 to move") { try await fleet.version("core-1", "core") == "1.5.0" }
                kill(process, SIGINT)
            }
            #expect(outcome.code == FleetFixture.Exit.detached.rawValue)
            #expect(try CrashTests.redeploys(fleet, "core-3") == 0)
            // Detaching records nothing about a host.
            #expect(try await fleet.holdCode() == nil)
            let line = try #require(outcome.errors.split(separator: "\n").first { $0.hasPrefix("next: ") })
            let resumed = try await fleet.runVerbatim(String(line.dropFirst("next: ".count)))
            #expect(resumed.code == FleetFixture.Exit.verified.rawValue, "\(resumed.output)\(resumed.errors)")
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
        }
    }

    @Test func aSecondCtrlCEndsTheProcessWhateverHangs() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            let (now, locked, free) = ("\(fleet.folder)/now", "\(fleet.folder)/locked", "\(fleet.folder)/free")
            let hold = """
                import os, sqlite3, sys, time
                ledger, now, locked, free = sys.argv[1:]
                while not os.path.exists(now): time.sleep(0.05)
                db = sqlite3.connect(ledger, isolation_level=None)
                db.execute('BEGIN IMMEDIATE')
                open(locked, 'w')
                while not os.path.exists(free): time.sleep(0.05)
                """
            async let holder = Subprocess.run(
                .name("python3"), arguments: ["-c", hold, "\(fleet.folder)/ledger.sqlite", now, locked, free],
                output: .discarded, error: .discarded)
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "core-1 to move") { try await fleet.version("core-1", "core") == "1.5.0" }
                try Data().write(to: URL(filePath: now))
                try await fleet.wait(for: "the lock") { FileManager.default.fileExists(atPath: locked) }
                // The request of the first Ctrl-C waits for the lock before it is recorded.
                kill(process, SIGINT)
                let errors = try #require(
                    try FileManager.default.contentsOfDirectory(atPath: fleet.folder).first { $0.hasSuffix(".errors") })
                try await fleet.wait(for: "the first to be taken") {
                    try String(contentsOfFile: "\(fleet.folder)/\(errors)", encoding: .utf8).contains("stopping:")
                }
                kill(process, SIGINT)
            }
            #expect(outcome.code == FleetFixture.Exit.detached.rawValue, "\(outcome)")
            #expect(outcome.errors.contains("did not exit within 2 s"), "\(outcome)")
            try Data().write(to: URL(filePath: free))
            #expect(try await holder.terminationStatus.isSuccess)
            #expect(try await fleet.expect(.verified, "lease", "show").output.contains("no driver;"))
            let line = try #require(outcome.errors.split(separator: "\n").first { $0.hasPrefix("next: ") })
            let resumed = try await fleet.runVerbatim(String(line.dropFirst("next: ".count)))
            #expect(resumed.code == FleetFixture.Exit.verified.rawValue, "\(resumed.output)\(resumed.errors)")
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
        }
    }

    @Test func aSecondTerminalPausesARunThatAnotherDrives() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await fleet.wait(for: "core-1 to move") { try await fleet.version("core-1", "core") == "1.5.0" }
                try await fleet.expect(.verified, "rollout", "pause")
                #expect(try await fleet.status().value(at: "/status")?.scalarText == "paused")
                // Changed hosts are still watched; nothing else starts.
                let before = try await fleet.sequence()
                try await fleet.wait(for: "two more samples") { try await fleet.sequence() >= before + 2 }
                #expect(try CrashTests.redeploys(fleet, "core-2") + CrashTests.redeploys(fleet, "core-3") == 0)
                try await fleet.expect(.verified, "rollout", "resume")
            }
            #expect(outcome.code == FleetFixture.Exit.verified.rawValue)
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
        }
    }

    @Test func timeWhileTheCoordinatorIsStoppedDoesNotCount() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(
                to: "1.5.0", change: { CrashTests.counting($0.replacing("soakSeconds: 2", with: "soakSeconds: 4")) })
            var stoppedAt = Date.distantFuture
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "core-1 to move") { try await fleet.version("core-1", "core") == "1.5.0" }
                try await fleet.suspend(process)
                stoppedAt = Date()
                try await fleet.wait(for: "the soak to be over, had it been watched") {
                    Date() > stoppedAt.addingTimeInterval(8)
                }
                kill(process, SIGCONT)
            }
            #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome)")
            #expect(outcome.output.contains("nothing was watched for "), "\(outcome)")
            let events = try await fleet.expect(.verified, "events").output.split(separator: "\n").map(String.init)
            let interrupted = try #require(events.firstIndex { $0.contains("nothing was watched for ") })
            let soaked = try #require(events.firstIndex { $0.contains("core-1/core stayed healthy for its soak") })
            #expect(interrupted < soaked)
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
        }
    }

    @Test func aSuspendedCoordinatorIsDeposedAndChangesNothingWhenItWakesUp() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.expect(.refused, "lease", "show", "r-none")
            let late = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "core-1 to move") { try await fleet.version("core-1", "core") == "1.5.0" }
                try await fleet.suspend(process)
                let shown = try await fleet.expect(.verified, "lease", "show").output
                #expect(shown.contains("driven by") && shown.contains("process \(process)"))
                // Its lock is held, so nobody takes over by accident.
                try await fleet.expect(.refused, "rollout", "resume")
                try await fleet.expect(.verified, "lease", "break", "--reason", "it was suspended")
                try await fleet.expect(.refused, "lease", "break", "--reason", "again")
                try await fleet.expect(.verified, "rollout", "resume")
                kill(process, SIGCONT)
            }
            #expect(late.code == FleetFixture.Exit.refused.rawValue, "\(late.output) \(late.errors)")
            #expect(late.errors.contains("deposed"))
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
            #expect(try await fleet.run(["events"]).output.contains("it was suspended"))
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aRollbackWhoseDriverIsDeposedReportsNoOutcome() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            let late = try await fleet.withRunning("rollback", "--all", "--as", "core-owner") { process in
                try await fleet.wait(for: "a host to go back") {
                    for host in fleet.lab.hosts where try await fleet.version(host.name, "core") == "1.4.0" {
                        return true
                    }
                    return false
                }
                try await fleet.suspend(process)
                try await fleet.expect(.verified, "lease", "break", "--reason", "it was suspended")
                try await fleet.expect(.rolledBackVerified, "rollout", "resume")
                kill(process, SIGCONT)
            }
            #expect(late.code == FleetFixture.Exit.refused.rawValue, "\(late.output) \(late.errors)")
        }
    }

    @Test func aRestoredBackupGoesOnAboveTheEpochsThatHostsHaveSeen() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.lab.inject(.serviceUnhealthy, on: "core-2", target: "1.5.0")
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            let backup = "\(fleet.folder)/backup.sqlite"
            try await fleet.expect(.verified, "backup", backup)
            // The fleet is rolled back, and the ledger that recorded this is lost.
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
            try await fleet.expect(.refused, "restore", backup)
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: "\(fleet.folder)/ledger.sqlite\(suffix)")
            }
            try await fleet.expect(.verified, "restore", backup)
            #expect(try await fleet.holdCode() == "evidence-regressed")
            // The hosts have records of operations that the backup does not know; none runs twice.
            let outcome = try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
            #expect(!outcome.output.contains("agent-unusable"))
            for host in ["core-1", "core-2"] as [HostName] {
                #expect(try await fleet.version(host, "core") == "1.4.0")
                #expect(try fleet.journal(of: host).count == 2)
                #expect(try CrashTests.redeploys(fleet, host) == 1)
            }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aRequestThatArrivesAfterSettleIsRefused() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.expect(.verified, "inventory", "check")
            let host = try fleet.lab.host("core-1")
            try await fleet.wait(for: "the check's session to end") { try await fleet.sessions(of: host).isEmpty }
            let client = SSHClient()
            let late = try await AgentTalk(client, fleet, host)
            let hello = HelloRequest(ledger: "test-ledger", epoch: 1)
            guard case .hello = try await late.ask(.hello(hello)) else { throw CancellationError() }

            // The server side of the first connection stops reading: what is sent now is buffered.
            let session = try #require(try await fleet.sessions(of: host).first)
            kill(session, SIGSTOP)
            let marker = "\(host.root)/ran-late"
            try await late.send(.start(request(for: "late-operation", marker: marker)))

            let second = try await AgentTalk(client, fleet, host)
            guard case .hello = try await second.ask(.hello(hello)) else { throw CancellationError() }
            let settled = try await second.ask(.settle(SettleRequest(operation: "late-operation")))
            #expect(settled == .tombstoned(id: "late-operation"))

            kill(session, SIGCONT)
            guard case .refused(let refusal) = try await late.receive() else { throw CancellationError() }
            #expect(refusal.code == .operationSeen)
            #expect(!FileManager.default.fileExists(atPath: marker))
            await client.shutdown()
        }
    }

    private func request(for id: OperationID, marker: String) -> StartRequest {
        let intent = OperationIntent(
            id: id, placement: Placement(host: "core-1", layer: "core"), action: .step(name: "redeploy"), attempt: 1,
            boundary: .batch(layer: "core", index: 0), planDigest: "sha256:00", epoch: 1)
        return StartRequest(
            intent: intent, run: "r-late", chainHead: "sha256:00", workingDirectory: "/tmp", guardrails: [],
            command: ScriptCommand(arguments: ["/usr/bin/touch", marker], timeoutSeconds: 10),
            usesPreservedScript: false)
    }
}

/// A conversation with the agent that a coordinator installed on a host.
private struct AgentTalk {
    let exec: SSHExec
    let connection: SSHConnection
    private let lines = Lines()

    private actor Lines {
        var splitter = LineSplitter()
        var ready: [[UInt8]] = []
        var nextID: UInt32 = 0
        func id() -> UInt32 {
            nextID += 1
            return nextID
        }
        func take(_ bytes: [UInt8]) { ready += splitter.receive(bytes).compactMap { try? $0.get() } }
        func pop() -> [UInt8]? { ready.isEmpty ? nil : ready.removeFirst() }
    }

    init(_ client: SSHClient, _ fleet: FleetFixture, _ host: LabHost) async throws {
        let line = try String(contentsOfFile: host.root + "/sshd/host_key.pub", encoding: .utf8)
        let key = try #require(SSHHostKey(openSSH: line))
        connection = try await client.connect(
            to: SSHTarget(
                host: host.name.rawValue, address: host.address, port: host.sshPort, user: NSUserName(),
                hostKeys: [key],
                identities: [try SSHIdentity.load(path: fleet.lab.identityPath)]))
        exec = try await connection.execute("exec \"$HOME\"/.local/lib/lockflight/agent-* serve")
    }

    func send(_ request: AgentRequest) async throws {
        try await exec.write(try LineCodec.encode(RequestFrame(id: await lines.id(), request: request)))
    }

    func receive() async throws -> AgentReply {
        while true {
            if let line = await lines.pop() { return try LineCodec.decode(ReplyFrame.self, from: line).reply }
            guard let bytes = try await exec.read(timeout: .seconds(20)) else { throw CancellationError() }
            await lines.take(bytes)
        }
    }

    func ask(_ request: AgentRequest) async throws -> AgentReply {
        try await send(request)
        return try await receive()
    }
}

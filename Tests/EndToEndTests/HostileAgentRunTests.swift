import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// A program in place of the agent, installed on every host over a real sshd: the run is held, nothing counts as done
/// without a record, and the terminal stays clean.
struct HostileAgentRunTests {
    /// The extra memory that a program may cost the coordinator, compared with a healthy run over as many hosts.
    static let extraMebibytes = 64

    struct Program {
        var what: String
        /// `relay` passes the real agent's replies on, except for the records, which the function may change.
        var body: String
        var changesHosts = false
        var floods = false
        /// Whether it returned a complete record of the right operation, which is valid however it was produced.
        var isRecorded = false
    }

    static let programs = [
        Program(what: "ends without a word", body: "sys.exit(0)"),
        Program(what: "says binary without end", body: "while True: os.write(1, os.urandom(65536))", floods: true),
        Program(what: "says one line without end", body: "while True: os.write(1, b'a' * 65536)", floods: true),
        Program(
            what: "says a line of 1 GB",
            body: """
                for _ in range(16384): os.write(1, b'a' * 65536)
                os.write(1, b"\\n")
                """, floods: true),
        Program(
            what: "says deep JSON",
            body: "os.write(1, b'{\"re\":' + b'[' * 500000 + b']' * 500000 + b'}\\n')\nsys.stdin.read()",
            floods: true),
        Program(
            what: "refuses with escape sequences",
            body: """
                for request in sys.stdin:
                    words = "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\u202e"
                    reply = {"re": json.loads(request)["id"], "kind": "refused", "body": {"code": "busy", "message": words}}
                    print(json.dumps(reply), flush=True)
                """),
        Program(what: "ends where the record would come", body: "relay(lambda line: sys.exit(0))", changesHosts: true),
        Program(
            what: "answers with the record of another operation",
            body: """
                def forge(line):
                    reply = json.loads(line)
                    reply["body"]["id"] = "r-other.data-1.data.redeploy.1"
                    return json.dumps(reply).encode() + b"\\n"
                relay(forge)
                """, changesHosts: true),
        Program(
            what: "says output without end where the record would come",
            body: """
                def flood(line):
                    reply = json.loads(line)
                    piece = base64.b64encode(b"a" * 65536).decode()
                    body = {"operation": reply["body"]["id"], "fromByte": reply["body"]["outputBytes"], "bytes": piece}
                    while True:
                        os.write(1, json.dumps({"re": reply["re"], "kind": "output", "body": body}).encode() + b"\\n")
                        body["fromByte"] += 65536
                relay(flood)
                """, changesHosts: true, floods: true),
        Program(
            what: "says a failure with escape sequences in names and output",
            body: """
                def forge(line):
                    reply = json.loads(line)
                    words = "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202e"
                    reply["body"]["outcome"] = {"guardrailRefused": {"guardrail": words, "code": 2}}
                    reply["body"]["outputTail"] = words
                    return json.dumps(reply).encode() + b"\\n"
                relay(forge)
                """, changesHosts: true, isRecorded: true),
    ]

    private func write(_ body: String, in folder: String, over agents: String) async throws -> String {
        let architecture = try await Subprocess.run(.name("uname"), arguments: ["-m"], output: .string(limit: 100))
            .standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
        let text = """
            #!/usr/bin/env python3
            import base64, json, os, subprocess, sys

            def relay(ended):
                real = subprocess.Popen(["\(agents)/lockflight-agent-\(architecture)"] + sys.argv[1:], stdout=subprocess.PIPE)
                for line in real.stdout:
                    os.write(1, ended(line) if b'"kind":"ended"' in line else line)

            \(body)

            """
        let hostile = "\(folder)/hostile"
        try FileManager.default.createDirectory(atPath: hostile, withIntermediateDirectories: true)
        try text.write(toFile: "\(hostile)/lockflight-agent-\(architecture)", atomically: true, encoding: .utf8)
        return hostile
    }

    /// The peak memory of a run over one host, with the real agent or a program in its place.
    private func peakMebibytes(_ program: Program?) async throws -> Int {
        var peak = 0
        try await FleetFixture.with(ConnectionFaultTests.one) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            var agents = fleet.agents
            if let program { agents = try await write(program.body, in: fleet.folder, over: agents) }
            let (start, mebibytes) = try await fleet.runMeasured(["rollout", "start", "lab-1.5.0"], agents: agents)
            #expect((start.code == FleetFixture.Exit.verified.rawValue) == (program == nil), "\(start)")
            peak = mebibytes
        }
        return peak
    }

    /// Runs alone, because output that is not read in time is held in memory.
    @Test(.alone) func aFloodCostsTheCoordinatorLittleMemory() async throws {
        let healthy = try await peakMebibytes(nil)
        #expect(healthy > 0)
        for program in HostileAgentRunTests.programs where program.floods {
            let peak = try await peakMebibytes(program)
            print("an agent that \(program.what): peak \(peak) MiB; healthy \(healthy) MiB")
            #expect(peak <= healthy + HostileAgentRunTests.extraMebibytes, "\(program.what): \(peak) MiB")
        }
    }

    private func expectClean(_ texts: [String], _ what: String) {
        for text in texts {
            let raw = text.unicodeScalars.filter {
                $0 != "\n" && ($0.value < 0x20 || (0x7f...0x9f).contains($0.value)) || $0 == "\u{202e}"
            }
            #expect(raw.isEmpty, "\(what): \(raw.map { String($0.value, radix: 16) })")
        }
    }

    @Test(arguments: programs.indices)
    func aHostileProgramHoldsTheRun(_ index: Int) async throws {
        let program = HostileAgentRunTests.programs[index]
        let what = program.what
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            let agents = try await write(program.body, in: fleet.folder, over: fleet.agents)
            let start = try await fleet.run(["rollout", "start", "lab-1.5.0"], agents: agents)
            #expect(
                [FleetFixture.Exit.held.rawValue, FleetFixture.Exit.unreachable.rawValue].contains(start.code),
                "\(what): exit \(start.code) \(start.output) \(start.errors)")
            let status = try await fleet.run(["status"])
            let recover = try await fleet.run(["recover"])
            let events = try await fleet.run(["events"])
            expectClean([start, status, recover, events].flatMap { [$0.output, $0.errors] }, what)
            // At most the first layer was changed, once, and no record calls it verified.
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            #expect(try fleet.journal(of: "data-1").count == (program.changesHosts ? 1 : 0))
            let document = try await fleet.status()
            #expect(document.value(at: "/placements/0/phase")?.scalarText != "soaked")
            try await fleet.expect(.verified, "ledger", "verify")
            guard program.changesHosts, !program.isRecorded else { return }
            // With the real agent again the record is found, and the run goes on with the true state.
            _ = try await fleet.run(["recover", "recheck", "data-1"])
            let end = try await fleet.run(["rollout", "resume"])
            #expect(end.code == FleetFixture.Exit.verified.rawValue, "\(what): \(end.output) \(end.errors)")
            #expect(try fleet.journal(of: "data-1").count == 1)
        }
    }

    /// Escape sequences of a host reach no terminal, neither while the run goes on nor in the views of it afterwards.
    @Test(arguments: programs.indices.filter { programs[$0].what.contains("escape sequences") })
    func aTerminalReceivesOnlyLockflightsOwnSequences(_ index: Int) async throws {
        let program = HostileAgentRunTests.programs[index]
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            let agents = try await write(program.body, in: fleet.folder, over: fleet.agents)
            for words in [["rollout", "start", "lab-1.5.0", "--watch"], ["status"], ["recover"], ["events"]] {
                let shown = try await showOnTerminal(words, fleet, agents: agents)
                // Colours, up, erase a line, erase the rest, hide and show the cursor.
                let own = /\u{1b}\[(?:[0-9;]*m|[0-9]+A|2K|0J|\?25[lh])/
                let rest = shown.replacing(own, with: "").replacing("\r\n", with: "\n")
                expectClean([rest], "\(program.what), \(words)")
                if words != ["events"] { #expect(shown != rest, "no terminal was there: \(shown)") }
            }
        }
    }

    /// The output of a command on a terminal of 100 columns, read from the other end of a pty(7).
    private func showOnTerminal(_ words: [String], _ fleet: FleetFixture, agents: String) async throws -> String {
        let terminal = """
            import fcntl, os, pty, struct, sys, termios
            child, master = pty.fork()
            if child == 0:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
                os.environ["TERM"] = "xterm-256color"
                os.execv(sys.argv[1], sys.argv[1:])
            while True:
                try: bytes = os.read(master, 65536)
                except OSError: break
                if not bytes: break
                os.write(1, bytes)
            os.waitpid(child, 0)
            """
        let outcome = try await fleet.execute(
            ["python3", "-c", terminal, FleetFixture.executable] + words,
            fleet.environment.updating(["LOCKFLIGHT_AGENT_DIRECTORY": agents]))
        #expect(outcome.code == 0, "\(outcome.errors)")
        return outcome.output
    }

    /// A host cannot pass off an earlier record as that of a later operation.
    @Test func aReplayedRecordHoldsTheRun() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            let agents = try await write(
                """
                def replay(line):
                    kept = "\(fleet.folder)/kept-record"
                    if not os.path.exists(kept):
                        open(kept, "wb").write(line)
                        return line
                    reply = json.loads(open(kept, "rb").read())
                    reply["re"] = json.loads(line)["re"]
                    return json.dumps(reply).encode() + b"\\n"
                relay(replay)
                """, in: fleet.folder, over: fleet.agents)
            let start = try await fleet.run(["rollout", "start", "lab-1.5.0"], agents: agents)
            #expect(start.code != FleetFixture.Exit.verified.rawValue, "\(start.output) \(start.errors)")
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            #expect(try await fleet.holdCode() == "operation-unsettled")
            let events = try await fleet.run(["events"])
            #expect(events.output.contains("the agent answered with the record of"), "\(events.output)")
            // With the real agent again each has its own record.
            for host in ["core-2", "core-3"] { _ = try await fleet.run(["recover", "recheck", host]) }
            try await fleet.expect(.verified, "rollout", "resume")
            for host in fleet.lab.hosts { #expect(try fleet.journal(of: host.name).count == 1) }
        }
    }
}

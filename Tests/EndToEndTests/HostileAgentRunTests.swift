import Foundation
import LabFleet
import Subprocess
import Testing
import UpgradeDomain

/// A program in the agent's place, brought to every host over a real sshd: the run is held, nothing counts as done
/// without a record, and the terminal stays clean.
@Suite(.serialized)
struct HostileAgentRunTests {
    /// What the program does; `real` runs the real agent and `line` is one of its replies.
    static let programs: [(what: String, body: String, changesHosts: Bool)] = [
        ("ends without a word", "sys.exit(0)", false),
        ("says binary without end", "while True: os.write(1, os.urandom(65536))", false),
        ("says one line without end", "while True: os.write(1, b'a' * 65536)", false),
        (
            "refuses with escape sequences",
            """
            for request in sys.stdin:
                words = "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\u202e"
                reply = {"re": json.loads(request)["id"], "kind": "refused", "body": {"code": "busy", "message": words}}
                print(json.dumps(reply), flush=True)
            """, false
        ),
        ("ends where the record would come", "relay(lambda line: sys.exit(0))", true),
        (
            "answers with the record of another operation",
            """
            def forge(line):
                reply = json.loads(line)
                reply["body"]["id"] = "r-other.data-1.data.redeploy.1"
                return json.dumps(reply).encode() + b"\\n"
            relay(forge)
            """, true
        ),
    ]

    private func write(_ body: String, in folder: String, over agents: String) async throws -> String {
        let architecture = try await Subprocess.run(.name("uname"), arguments: ["-m"], output: .string(limit: 100))
            .standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
        let text = """
            #!/usr/bin/env python3
            import json, os, subprocess, sys

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

    @Test(arguments: programs.indices)
    func aHostileProgramHoldsTheRun(_ index: Int) async throws {
        let (what, body, changesHosts) = HostileAgentRunTests.programs[index]
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            let agents = try await write(body, in: fleet.folder, over: fleet.agents)
            let start = try await fleet.runVerbatim(
                "LOCKFLIGHT_AGENT_DIRECTORY='\(agents)' lockflight rollout start lab-1.5.0")
            #expect(
                [FleetFixture.Exit.held.rawValue, FleetFixture.Exit.unreachable.rawValue].contains(start.code),
                "\(what): exit \(start.code) \(start.output) \(start.errors)")
            let status = try await fleet.run(["status"])
            let recover = try await fleet.run(["recover"])
            for text in [start.output, start.errors, status.output, recover.output] {
                #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || $0 == "\u{202e}" }, "\(what)")
            }
            // The first layer alone was changed, if any; once; and nobody calls it verified.
            #expect(try await fleet.version("core-1", "core") == "1.4.0")
            #expect(try fleet.journal(of: "data-1").count == (changesHosts ? 1 : 0))
            let document = try await fleet.status()
            #expect(document.value(at: "/placements/0/phase")?.scalarText != "soaked")
            try await fleet.expect(.verified, "ledger", "verify")
            guard changesHosts else { return }
            // With the real agent again the record is found, and the run goes on with what is true.
            _ = try await fleet.run(["recover", "recheck", "data-1"])
            let end = try await fleet.run(["rollout", "resume"])
            #expect(end.code == FleetFixture.Exit.verified.rawValue, "\(what): \(end.output) \(end.errors)")
            #expect(try fleet.journal(of: "data-1").count == 1)
        }
    }
}

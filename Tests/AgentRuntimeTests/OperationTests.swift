import AgentProtocol
import Foundation
import TestSupport
import Testing
import UpgradeDomain

/// One operation, from its intent to its record.
@Suite struct OperationTests {
    @Test func aScriptRunsAndItsRecordTellsHowItEnded() throws {
        let host = try HostUnderTest()
        let (record, output) = try host.session().run(
            host.start(
                "op", "echo one; echo two >&2; printf %s \"$LOCKFLIGHT_OPERATION $SHADE\"; exit 3",
                environment: ["SHADE": "blue"]))
        #expect(record.outcome == .exited(code: 3))
        #expect(output == "one\ntwo\nop blue")
        #expect(record.outputTail == output)
        #expect(record.outputBytes == 15)
        #expect(record.scriptDigest != nil)
    }

    @Test func aScriptSeesACleanEnvironmentAndNoInput() throws {
        let host = try HostUnderTest()
        let (_, output) = try host.session().run(host.start("op", "env | sed 's/=.*//' | sort; cat; ls /proc/$$/fd"))
        let names = output.split(separator: "\n").map(String.init)
        #expect(
            Set(names).subtracting(["PWD", "OLDPWD", "_", "SHLVL"])
                == ["HOME", "LANG", "LOCKFLIGHT_OPERATION", "LOCKFLIGHT_RUN", "PATH", "0", "1", "2"])
    }

    @Test func secretsOfThePlanAreMaskedInAScriptsOutput() throws {
        let host = try HostUnderTest()
        try host.write("token", "old-s3cret\n")
        let files = ["token", "absent"].map { host.folder.path + "/" + $0 }
        // It prints the old secret, changes it, and prints the new one in other encodings.
        let script = """
            cat token; printf n3w-s3cret > token; echo; cat token; echo; base64 < token; od -An -tx1 token
            i=0; while [ $i -lt 9 ]; do i=$((i + 1)); cat token; done; echo end; touch printed
            while [ ! -e go ]; do sleep 0.01; done
            """
        let session = try host.session()
        let request = host.start(
            "op", ScriptCommand(arguments: ["sh", "-c", script], timeoutSeconds: 20), secretFiles: files)
        try session.begin(request)
        try blockUntil("the script has printed") {
            FileManager.default.fileExists(atPath: host.folder.appending(path: "printed").path)
        }
        let early = try session.send(.attach(AttachRequest(operation: "op", fromByte: 0)))
        _ = try session.ask(.journal)
        try host.write("go", "")
        guard case .output(let first) = try session.reply(to: early) else { throw Surprise("no output") }
        #expect(!String(decoding: first.bytes.elements, as: UTF8.self).contains("s3cret"))
        let (record, output) = try session.follow("op")
        let raw = try String(contentsOf: host.state.appending(path: "operations/op/output"), encoding: .utf8)
        for text in [output, record.outputTail, raw] {
            #expect(!text.contains("s3cret") && text.hasSuffix("end\n"), "\(text)")
            #expect(text.split(separator: "***", omittingEmptySubsequences: false).count == 14, "\(text)")
        }
        #expect(record.outputBytes == output.utf8.count)
    }

    @Test func aSecretThatTheOperationRemovesIsStillMasked() throws {
        let host = try HostUnderTest()
        try host.write("token", "it's-a-s3cret\nand-a-second-line\n")
        // Covers the trace of `set -x`, dumps over several lines, and a secret file that is empty at the end.
        let script =
            "set -x; test \"$(cat token)\" = x; set +x; xxd -p -c 8 token; base64 token | sed 's/^/    /'; : > token; exit 3"
        let (record, output) = try host.session().run(
            host.start(
                "op", ScriptCommand(arguments: ["sh", "-c", script], timeoutSeconds: 20),
                secretFiles: [host.folder.path + "/token"]))
        #expect(record.outcome == .exited(code: 3))
        let shown = output.lowercased()
        #expect(shown.contains("***") && !shown.contains("s3cret") && !shown.contains("second"), "\(output)")
        #expect(!shown.contains("733363726574".prefix(8)), "\(output)")
    }

    @Test func anOutputWhoseSecretsCanNotBeMaskedIsWithheld() throws {
        let host = try HostUnderTest()
        try FileManager.default.createDirectory(
            at: host.folder.appending(path: "token"), withIntermediateDirectories: true)
        let request = host.start(
            "op", ScriptCommand(arguments: ["echo", "what it said"], timeoutSeconds: 20),
            secretFiles: [host.folder.path + "/token"])
        let (record, output) = try host.session().run(request)
        #expect(record.outcome == .exited(code: 0))
        #expect(output.hasPrefix("lockflight: the output is withheld, and kept in ") && !output.contains("said\n"))
        let kept = host.state.appending(path: "operations/op/output.withheld")
        #expect(try String(contentsOf: kept, encoding: .utf8) == "what it said\n")
    }

    @Test func aSignalIsReportedAsTheOutcome() throws {
        let host = try HostUnderTest()
        let (record, _) = try host.session().run(host.start("op", "kill -USR1 $$"))
        #expect(record.outcome == .signaled(signal: 10))
    }

    @Test func aCommandThatIsNotThereIsNotStarted() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        for (id, arguments) in [("bare", ["no-such-command"]), ("path", ["./no/such/script"])] {
            let command = ScriptCommand(arguments: arguments, timeoutSeconds: 5)
            let (record, _) = try session.run(host.start(OperationID(id), command))
            guard case .notStarted(let detail) = record.outcome else { throw Surprise("\(record.outcome)") }
            #expect(detail.contains("no"))
        }
    }

    @Test func aRefusingGuardrailKeepsTheScriptFromStarting() throws {
        let host = try HostUnderTest()
        let guardrails = ["exit 0", "echo too hot; exit 7", "echo never >> third"].map {
            ScriptCommand(arguments: ["sh", "-c", $0], timeoutSeconds: 5, script: "./guard.sh")
        }
        let (record, output) = try host.session().run(
            host.start("op", "echo ran >> counter", guardrails: guardrails))
        #expect(record.outcome == .guardrailRefused(guardrail: "./guard.sh", code: 7))
        #expect(output == "too hot\n")
        #expect(host.lines(of: "counter").isEmpty)
        #expect(host.lines(of: "third").isEmpty)
    }

    @Test func passingGuardrailsRunBeforeTheScript() throws {
        let host = try HostUnderTest()
        let guardrail = ScriptCommand(arguments: ["sh", "-c", "echo guard"], timeoutSeconds: 5)
        let (record, output) = try host.session().run(host.start("op", "echo script", guardrails: [guardrail]))
        #expect(record.outcome == .exited(code: 0))
        #expect(output == "guard\nscript\n")
    }

    @Test func aDeadlineEndsTheGroupButNotWhatLeftIt() throws {
        let host = try HostUnderTest()
        let script =
            "setsid sh -c 'echo $$ > service; exec sleep 60' & echo $$ > leader; sleep 60 & echo $! > member; wait"
        let (record, _) = try host.session().run(host.start("op", script, timeoutSeconds: 5))
        #expect(record.outcome == .timedOut(survivors: false))
        func isAlive(_ file: String) throws -> Bool {
            let pid = try #require(host.lines(of: file).first.flatMap { Int32($0) })
            let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            return stat.map { !$0.contains(") Z ") } ?? false
        }
        #expect(try !isAlive("leader"))
        #expect(try !isAlive("member"))
        #expect(try isAlive("service"))
        kill(try #require(host.lines(of: "service").first.flatMap { Int32($0) }), SIGKILL)
    }

    @Test func aScriptThatIgnoresTheFirstSignalIsKilled() throws {
        let host = try HostUnderTest()
        let (record, output) = try host.session().run(
            host.start("op", "trap 'echo asked' TERM; while :; do sleep 1; done", timeoutSeconds: 5))
        #expect(record.outcome == .timedOut(survivors: false))
        #expect(output.contains("asked"))
        #expect(record.durationMilliseconds >= 10_000)
    }

    @Test func aServiceLeftInTheBackgroundDoesNotHoldTheOperation() throws {
        let host = try HostUnderTest()
        let (record, _) = try host.session().run(host.start("op", "sleep 60 & echo $! > service"))
        #expect(record.outcome == .exited(code: 0))
        #expect(record.durationMilliseconds < 20_000)
        let service = try #require(host.lines(of: "service").first.flatMap { Int32($0) })
        #expect(kill(service, SIGKILL) == 0)
    }

    @Test func onlyOneOperationRunsAtATime() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("first", "while [ ! -e go ]; do sleep 0.05; done"))
        #expect(try session.refusal(.start(host.start("second", "true"))) == .busy)
        #expect(try session.ask(.settle(SettleRequest(operation: "first"))) == .running(id: "first"))
        try host.write("go", "")
        #expect(try session.follow("first").record.outcome == .exited(code: 0))
        #expect(try session.run(host.start("second", "true")).record.outcome == .exited(code: 0))
    }
}

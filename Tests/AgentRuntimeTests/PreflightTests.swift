import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

/// What is checked, and kept, before a run changes anything.
@Suite struct PreflightTests {
    private func preflight(_ host: HostUnderTest, _ command: ScriptCommand, preserve: [String] = []) -> AgentRequest {
        .preflight(
            PreflightRequest(
                run: "r-1", workingDirectory: host.folder.path, commands: [command], requires: ["boot-id", "nowhere"],
                preserve: preserve))
    }

    private let rollback = ScriptCommand(arguments: ["sh", "./rollback.sh", "now"], timeoutSeconds: 10)

    @Test func whatIsMissingIsNamed() throws {
        let host = try HostUnderTest()
        let command = ScriptCommand(arguments: ["no-such-interpreter", "./rollback.sh"], timeoutSeconds: 10)
        guard case .preflight(let reply) = try host.session().ask(preflight(host, command, preserve: ["./rollback.sh"]))
        else { throw Surprise("no preflight") }
        #expect(reply.missingScripts == ["no-such-interpreter (not in PATH)", "./rollback.sh (not there)"])
        #expect(reply.missingPaths == ["nowhere"])
        #expect(reply.freeDiskMebibytes > 0)
    }

    @Test func theKeptScriptRunsOnlyWhereTheOneInPlaceHasChanged() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        func run(_ id: OperationID) throws -> (record: OperationRecord, output: String) {
            try session.run(host.start(id, rollback, usesPreservedScript: true))
        }
        try host.write("rollback.sh", "echo old $1\n")
        guard case .preflight = try session.ask(preflight(host, rollback, preserve: ["./rollback.sh"])) else {
            throw Surprise("no preflight")
        }
        let unchanged = try run("unchanged")
        #expect(unchanged.output == "old now\n")

        try host.write("rollback.sh", "echo new $1\n")
        // A second preflight, as after a resume, must not replace the copy from before the change.
        _ = try session.ask(preflight(host, rollback, preserve: ["./rollback.sh"]))
        let changed = try run("changed")
        #expect(changed.output.hasSuffix("old now\n"))
        #expect(changed.output.hasPrefix("lockflight: \(host.folder.path)/rollback.sh has changed since the run began"))
        #expect(changed.record.scriptDigest == unchanged.record.scriptDigest)

        try FileManager.default.removeItem(at: host.folder.appending(path: "rollback.sh"))
        #expect(try run("gone").output.hasSuffix("old now\n"))

        let plain = try session.run(host.start("plain", rollback))
        #expect(plain.record.outcome != .exited(code: 0))
    }

    @Test func aDamagedCopyIsNotRun() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try host.write("rollback.sh", "echo old\n")
        _ = try session.ask(preflight(host, rollback, preserve: ["./rollback.sh"]))
        try host.write("rollback.sh", "echo new\n")
        let kept = host.state.appending(path: "preserved/r-1")
        for name in try FileManager.default.contentsOfDirectory(atPath: kept.path) where name.hasPrefix("sha256") {
            try Data("echo evil\n".utf8).write(to: kept.appending(path: name))
        }
        let (record, _) = try session.run(host.start("op", rollback, usesPreservedScript: true))
        guard case .notStarted(let detail) = record.outcome else { throw Surprise("\(record.outcome)") }
        #expect(detail.contains("missing or damaged"))
    }
}

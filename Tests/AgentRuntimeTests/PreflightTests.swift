import AgentProtocol
import Foundation
import Glibc
import Testing
import UpgradeDomain

/// Tests what is checked and kept before a run changes anything.
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

    /// A file with mode 755 is not necessarily executable.
    @Test(arguments: [
        ("#!/bin/sh\necho\n", nil),
        ("#! /usr/bin/env sh\necho\n", nil),
        ("#!/bin/sh\r\necho\r\n", "its first line ends with a carriage return"),
        ("#!/usr/bin/env bash\r\n", "its first line ends with a carriage return"),
        ("#!/opt/nowhere/python9 -u\n", "its interpreter /opt/nowhere/python9: not there"),
        ("#!/usr/bin/env no-such-shell\n", "its interpreter no-such-shell: not in PATH"),
        ("#!\n", "its first line names no interpreter"), ("echo hello\n", "neither a program nor a script"),
        ("", "neither a program nor a script"),
    ])
    func aScriptThatCannotBeExecutedIsNamedWithTheReason(_ text: String, _ reason: String?) throws {
        let host = try HostUnderTest()
        try write(Array(text.utf8), "run", on: host)
        let missing = try missing(ScriptCommand(arguments: ["./run"], timeoutSeconds: 10), on: host)
        #expect(missing.count == (reason == nil ? 0 : 1), "\(missing)")
        if let reason { #expect(missing.first?.hasPrefix("./run (\(reason)") == true, "\(missing)") }
    }

    @Test func aShellScriptWithCarriageReturnsIsNamed() throws {
        let host = try HostUnderTest()
        try write(Array("set -e\r\necho\r\n".utf8), "run.sh", on: host)
        let shell = ScriptCommand(arguments: ["sh", "./run.sh"], timeoutSeconds: 10)
        #expect(try missing(shell, on: host).first?.hasPrefix("./run.sh (its lines end with carriage returns") == true)
        // Scripts may be readable by others.
        try #expect(missing(ScriptCommand(arguments: ["cat", "./run.sh"], timeoutSeconds: 10), on: host) == [])
    }

    @Test func aProgramForAnotherProcessorOrWithoutItsLoaderIsNamed() throws {
        let host = try HostUnderTest()
        let command = ScriptCommand(arguments: ["./program"], timeoutSeconds: 10)
        var program = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "/bin/true")))
        try write(program, "program", on: host)
        try #expect(missing(command, on: host) == [])
        let loader = try #require(program.firstRange(of: Array("/ld-linux".utf8)))
        var lost = program
        lost.replaceSubrange(loader, with: Array("/no-linux".utf8))
        try write(lost, "program", on: host)
        let reason = try #require(try missing(command, on: host).first)
        #expect(reason.contains("the loader") && reason.contains("No such file"), "\(reason)")
        // EM_S390.
        (program[18], program[19]) = (22, 0)
        try write(program, "program", on: host)
        try #expect(missing(command, on: host) == ["./program (built for another processor)"])
    }

    @Test func aScriptThatOthersMayWriteIsNamedButHoldsNothing() throws {
        let host = try HostUnderTest()
        try FileManager.default.createDirectory(
            at: host.folder.appending(path: "scripts"), withIntermediateDirectories: false)
        try write(Array("#!/bin/sh\n".utf8), "scripts/run", on: host)
        let command = ScriptCommand(arguments: ["./scripts/run"], timeoutSeconds: 10)
        guard case .preflight(let safe) = try host.session().ask(preflight(host, command)) else {
            throw Surprise("no preflight")
        }
        #expect(safe.exposedPaths == nil && safe.missingScripts == [])
        for (name, mode) in [("scripts", 0o777), ("scripts/run", 0o775)] {
            try FileManager.default.setAttributes(
                [.posixPermissions: mode], ofItemAtPath: host.folder.appending(path: name).path)
        }
        guard case .preflight(let exposed) = try host.session().ask(preflight(host, command)) else {
            throw Surprise("no preflight")
        }
        #expect(
            exposed.exposedPaths == [
                "\(host.folder.path)/scripts (everybody)", "\(host.folder.path)/scripts/run (group \(getgid()))",
            ])
        #expect(exposed.missingScripts == [])
    }

    private func write(_ bytes: [UInt8], _ name: String, on host: HostUnderTest) throws {
        let file = host.folder.appending(path: name)
        try Data(bytes).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    }

    private func missing(_ command: ScriptCommand, on host: HostUnderTest) throws -> [String] {
        guard case .preflight(let reply) = try host.session().ask(preflight(host, command)) else {
            throw Surprise("no preflight")
        }
        return reply.missingScripts
    }

    /// Coordinators that use protocol 1 ask only for the script.
    @Test func theKeptScriptRunsOnlyWhereTheOneInPlaceHasChanged() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        func run(_ id: OperationID) throws -> (record: OperationRecord, output: String) {
            try session.run(host.start(OperationID("r-1.\(id)"), rollback, usesPreservedScript: true))
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

    /// A host with several stacks is asked about each working directory in turn.
    @Test func whatIsKeptOfOneDirectoryStaysWhileAnotherIsAskedAbout() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        func ask(_ place: String, continues: Bool?) throws {
            let request = PreflightRequest(
                run: "r-1", workingDirectory: host.folder.path + place, commands: [], requires: [], preserve: [],
                keeps: [KeepOrder(command: rollback)], continues: continues)
            guard case .preflight(let reply) = try session.ask(.preflight(request)), reply.missingScripts == [] else {
                throw Surprise("no preflight of \(place)")
            }
        }
        for place in ["shop", "wiki"] {
            try FileManager.default.createDirectory(
                at: host.folder.appending(path: place), withIntermediateDirectories: true)
            try host.write("\(place)/rollback.sh", "echo old \(place)\n")
        }
        try ask("/shop", continues: nil)
        try ask("/wiki", continues: true)
        for place in ["shop", "wiki"] { try host.write("\(place)/rollback.sh", "echo new\n") }
        for place in ["shop", "wiki"] {
            var request = host.start(OperationID("r-1.\(place)"), rollback, usesPreservedScript: true)
            request.workingDirectory = host.folder.path + "/" + place
            let output = try session.run(request).output
            #expect(output.hasSuffix("old \(place)\n"), "\(output)")
        }
    }

    /// An agent of an older protocol would lose what it kept of the directory before.
    @Test func anotherDirectoryIsNotAskedOfAnAgentThatForgetsTheFirst() {
        let request = PreflightRequest(
            run: "r-1", workingDirectory: "/srv", commands: [], requires: [], preserve: [], keeps: [], continues: true)
        #expect(AgentRequest.preflight(request).protocolVersion == 3)
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

import AgentProtocol
import Foundation
import Glibc
import TestSupport
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests the agent's use of systemd against a real systemd.
@Suite(.serialized, .enabled(if: PrivateSystemd.isAvailable, "needs root, systemd and dbus-daemon"))
struct SystemdTests {
    @Test func anOperationOutlivesTheScopeOfTheLoginThatStartedIt() throws {
        let systemd = try PrivateSystemd()
        defer { systemd.end() }
        let host = try HostUnderTest()
        let login = try host.session(within: systemd.prefix + ["systemd-run", "--quiet", "--scope", "--unit=login"])
        try login.begin(host.start("op", "echo first; while [ ! -e go ]; do sleep 0.05; done; echo last"))
        try blockUntil("output") { !host.lines(of: "state/operations/op/output").isEmpty }

        // As KillUserProcesses=yes ends a login: every process in its control group is killed.
        #expect(try systemd.run("systemctl", "kill", "--signal=KILL", "login.scope") == "")
        login.waitUntilEnded()
        try host.write("go", "")
        let (record, output) = try host.session(within: systemd.prefix).follow("op")
        #expect(record.outcome == .exited(code: 0))
        #expect(output == "first\nlast\n")
    }

    @Test func anOperationThatSystemdDoesNotMoveSaysSoAndGoesOn() throws {
        let systemd = try PrivateSystemd()
        defer { systemd.end() }
        let host = try HostUnderTest()
        #expect(try systemd.run("systemctl", "stop", "dbus.socket", "dbus.service") == "")
        let (record, output) = try host.session(within: systemd.prefix).run(host.start("op", "echo done"))
        #expect(record.outcome == .exited(code: 0))
        #expect(output.hasPrefix("lockflight: systemd holds this operation in the session"), "\(output)")
        #expect(output.hasSuffix("done\n"), "\(output)")
    }
}

extension SystemdTests {
    @Test func aUnitIsReadAsSystemdDescribesIt() throws {
        let systemd = try PrivateSystemd()
        defer { systemd.end() }
        func facts(_ unit: String) throws -> UnitFacts {
            UnitFacts(
                .success(
                    try systemd.run(
                        "systemctl", "show", "--property=\(UnitFacts.properties.joined(separator: ","))", unit)))
        }
        _ = try systemd.run("systemd-run", "--quiet", "--unit=web", "sleep", "1000")
        #expect(try facts("web.service").item == .holds(.unit, "active (running)"))
        #expect(try facts("web.service").processID() > 1)
        _ = try systemd.run("systemctl", "kill", "--signal=KILL", "web.service")
        try blockUntil("the unit to fail") { try facts("web.service").item.health == .unhealthy }
        #expect(try facts("web.service").item == .fails(.unit, "failed (failed)"))
        #expect(try facts("none.service").item == .fails(.unit, "its unit file is not-found"))
    }
}

extension SystemdTests {
    /// Restarts by systemd itself are counted; a restart by a person or a script begins the count again.
    @Test func aUnitThatSystemdStartsAgainCountsItsRestarts() throws {
        let systemd = try PrivateSystemd()
        defer { systemd.end() }
        let host = try HostUnderTest()
        func look() throws -> KindDocument {
            try KindDocument(
                host.take(.unit(UnitSource(name: "web.service", timeoutSeconds: 10)), within: systemd.prefix))
        }
        _ = try systemd.run(
            "systemd-run", "--quiet", "--unit=web", "--property=Restart=always", "--property=RestartSec=0", "sleep",
            "1000")
        let first = try look()
        #expect(first["state"]?.value == "active (running)" && first.restarts == 0)
        _ = try systemd.run("systemctl", "kill", "--signal=KILL", "web.service")
        try blockUntil("systemd to start it again") { try look().restarts == 1 }
        try blockUntil("it to run") { try look()["state"]?.health == .healthy }
        _ = try systemd.run("systemctl", "restart", "web.service")
        #expect(try look().restarts == 0)
        let missing = try KindDocument(
            host.take(.unit(UnitSource(name: "none.service", timeoutSeconds: 10)), within: systemd.prefix))
        #expect(missing["state"]?.value == "its unit file is not-found")
    }
}

/// A systemd in its own namespaces; see Systemd/boot.sh.
final class PrivateSystemd {
    private let process = Process()
    private let input = Pipe()
    private let folder: URL
    /// The command prefix that runs a program inside.
    let prefix: [String]

    static var isAvailable: Bool {
        getuid() == 0
            && ["/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/busctl"]
                .allSatisfy(FileManager.default.isExecutableFile(atPath:))
            && ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/unified/cgroup.controllers"]
                .contains(where: FileManager.default.isReadableFile(atPath:))
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-systemd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let output = Pipe()
        process.executableURL = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Systemd/boot.sh")
        process.arguments = [folder.path]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try output.fileHandleForWriting.close()
        var line: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first, byte != 0x0a { line.append(byte) }
        guard let first = Int32(String(decoding: line, as: UTF8.self)) else {
            throw Surprise("systemd did not start: \(String(decoding: line, as: UTF8.self))")
        }
        prefix = ["nsenter", "--target", "\(first)", "--mount", "--pid", "--cgroup", "--uts", "--ipc"]
        // The first client starts the bus; on a slow machine an agent might not have time for that.
        _ = try run("busctl", "--system", "list")
    }

    /// Runs a program inside and returns its output; throws unless it exits with 0.
    func run(_ words: String...) throws -> String {
        let program = Process()
        let output = Pipe()
        program.executableURL = URL(filePath: "/usr/bin/env")
        program.arguments = prefix + words
        program.standardOutput = output
        program.standardError = output
        try program.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        program.waitUntilExit()
        guard program.terminationStatus == 0 else {
            throw Surprise("\(words) exited \(program.terminationStatus): \(String(decoding: text, as: UTF8.self))")
        }
        return String(decoding: text, as: UTF8.self)
    }

    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}

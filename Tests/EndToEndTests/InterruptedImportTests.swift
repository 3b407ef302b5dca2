import Foundation
import LabFleet
import TestSupport
import Testing
import UpgradeDomain

/// Imports that are interrupted, and files that can not be written.
struct InterruptedImportTests {
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL])
    func anInterruptedImportLeavesNoAnsibleBehind(_ signal: Int32) async throws {
        try await FleetFixture.with { fleet in
            let folder = fleet.folder
            try "#!/bin/sh\nsleep 600 &\necho $! >\(folder)/child\necho $$ >\(folder)/own\nexec sleep 600\n".write(
                toFile: "\(folder)/ansible-inventory", atomically: true, encoding: .utf8)
            chmod("\(folder)/ansible-inventory", 0o700)
            func process(_ name: String) -> pid_t? {
                (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)).flatMap {
                    pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines))
                }
            }
            try await fleet.withRunning(
                "inventory", "import", "hosts.ini", "--from", "ansible",
                through: ["env", "PATH=\(folder):/usr/bin:/bin"]
            ) { command in
                try await eventually("Ansible to wait", within: .seconds(60)) { process("own") != nil }
                kill(command, signal)
            }
            for name in ["own", "child"] {
                let id = try #require(process(name))
                try await eventually("\(name) to be ended", within: .seconds(60)) {
                    kill(id, 0) != 0 && errno == ESRCH
                }
            }
        }
    }

    @Test func aFileThatCanNotBeWrittenIsNotThere() async throws {
        try await FleetFixture.with { fleet in
            let folder = "\(fleet.folder)/full"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try "name,role\na,db\n".write(toFile: "\(folder)/hosts.csv", atomically: true, encoding: .utf8)
            let before = try FileManager.default.contentsOfDirectory(atPath: folder)
            let commands = [
                "init \(folder)", "inventory import \(folder)/hosts.csv --init-map \(folder)/map.yaml",
                "policy init --out \(folder)/policy.yaml",
            ]
            for command in commands {
                let limited = try await fleet.runVerbatim("trap '' XFSZ; ulimit -f 0; exec lockflight \(command)")
                #expect(limited.code == FleetFixture.Exit.failure.rawValue, "\(command): \(limited)")
                #expect(limited.errors.contains("could not be written: File too large"), "\(command): \(limited)")
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == before, "\(command)")
                try await fleet.expect(.verified, "inventory", "list")
            }
            let retried = try await fleet.runVerbatim("lockflight \(commands[1])")
            #expect(retried.code == 0, "\(retried)")
            // A pipe gets the text itself, and is not replaced.
            let piped = try await fleet.runVerbatim(
                "mkfifo \(folder)/pipe; cat \(folder)/pipe & lockflight inventory export --format csv >\(folder)/pipe; wait"
            )
            #expect(piped.code == 0 && piped.output.hasPrefix("name,address,"), "\(piped)")
        }
    }
}

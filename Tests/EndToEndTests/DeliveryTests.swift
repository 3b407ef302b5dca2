import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Installing the agent on a host whose shell prints text, or for which there is no build.
struct DeliveryTests {
    /// Makes the login shell of the lab's host read these lines first; they only have an effect in bash.
    private func setRC(_ lines: String, of fleet: FleetFixture) throws {
        let home = try fleet.lab.host("core-1").root + "/home"
        try (lines + "\n").write(toFile: "\(home)/.bashrc", atomically: true, encoding: .utf8)
    }

    @Test func outputOfRCFilesIsNotMistakenForTheAgent() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one, agentsAreThere: false) { fleet in
            let home = try fleet.lab.host("core-1").root + "/home"
            try setRC("echo 'Welcome to core-1'; printf 'no newline'; echo problem >&2; touch \(home)/read", of: fleet)
            // The agent is installed first, then found there.
            try await fleet.expect(.verified, "inventory", "check")
            try await fleet.expect(.verified, "inventory", "check")
            #expect(FileManager.default.fileExists(atPath: "\(home)/read"))
        }
    }

    @Test func aHostThatNoBuildFitsIsNamedByTheCheck() async throws {
        try await FleetFixture.with(ConnectionFaultTests.one, agentsAreThere: false) { fleet in
            // /bin/sh sees what the account's shell exports.
            let bin = try fleet.lab.host("core-1").root + "/home/bin"
            try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
            try "#!/bin/sh\necho riscv64\n".write(toFile: bin + "/uname", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: bin + "/uname")
            try setRC("export PATH=\(bin):$PATH", of: fleet)
            let check = try await fleet.expect(.unreachable, "inventory", "check")
            let words = check.output.replacing(/\s+/, with: " ")
            #expect(
                words.contains(
                    "core-1 can not be used: there is no lockflight-agent build for its architecture riscv64"),
                "\(check.output)")
            #expect(words.contains("make agent"), "\(check.output)")
        }
    }
}

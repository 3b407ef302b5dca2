import Foundation
import Glibc
import LabFleet
import Testing
import UpgradeDomain

/// Tests how hosts are reached: through other hosts or OpenSSH's client, and how their keys become known.
struct WayTests {
    static let pair = LabLayout(
        layers: ["data", "core"], members: [.init("data-1", layers: ["data"]), .init("core-1", layers: ["core"])])

    /// Imports the lab's inventory with lines added to a host's entry.
    private func add(_ lines: String, to host: HostName, of fleet: FleetFixture) async throws {
        let text = try String(contentsOfFile: fleet.lab.inventoryPath, encoding: .utf8)
        let entry = "- name: \(host)\n"
        #expect(text.contains(entry))
        try text.replacingOccurrences(of: entry, with: "\(entry)    \(lines)\n")
            .write(toFile: fleet.lab.inventoryPath, atomically: true, encoding: .utf8)
        try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
    }

    @Test func aHostBehindAnotherIsUpgradedThroughIt() async throws {
        try await FleetFixture.with(WayTests.pair) { fleet in
            try await add("jump: data-1", to: "core-1", of: fleet)
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            try await fleet.lab.inject(.sshdDown, on: "data-1", target: "1.5.0")
            let check = try await fleet.expect(.unreachable, "inventory", "check", "core-1")
            #expect(check.output.contains("core-1 is behind data-1"), "\(check.output)")
        }
    }

    /// The host's sshd offers only ciphers that libssh2 lacks.
    private func harden(_ name: HostName, of fleet: FleetFixture) async throws {
        try await fleet.lab.inject(.sshdDown, on: name, target: "1.5.0")
        let path = try fleet.lab.host(name).root + "/sshd/sshd_config"
        let config = try String(contentsOfFile: path, encoding: .utf8)
        try (config + "Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com\n")
            .write(toFile: path, atomically: true, encoding: .utf8)
        try await fleet.lab.mend(name)
    }

    @Test func aHostBehindAServerUnsupportedByLibssh2IsReachedAsTheErrorSays() async throws {
        try await FleetFixture.with(WayTests.pair) { fleet in
            try await add("jump: data-1", to: "core-1", of: fleet)
            try await harden("data-1", of: fleet)
            let refused = try await fleet.expect(.unreachable, "inventory", "check", "core-1")
            #expect(
                refused.output.replacing(/\s+/, with: " ").contains(
                    "write 'transport: openssh' in the inventory's entry of core-1"),
                "\(refused.output)")
            try await add("transport: openssh", to: "core-1", of: fleet)
            try await fleet.expect(.verified, "inventory", "check", "core-1")
        }
    }

    @Test func aServerUnsupportedByLibssh2IsNamedAndUpgradedOverOpenSSH() async throws {
        try await FleetFixture.with(WayTests.pair) { fleet in
            try await harden("core-1", of: fleet)
            let refused = try await fleet.expect(.unreachable, "inventory", "check", "core-1")
            #expect(
                refused.output.replacing(/\s+/, with: " ").contains(
                    "write 'transport: openssh' in the inventory's entry of core-1"),
                "\(refused.output)")
            try await add("transport: openssh", to: "core-1", of: fleet)
            try await fleet.expect(.verified, "inventory", "trust", "--scan", "core-1")
            try await fleet.expect(.verified, "inventory", "check")
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.version("core-1", "core") == "1.5.0")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func tooFewDescriptorsAreReportedBeforeAnyConnection() async throws {
        try await FleetFixture.with(WayTests.pair) { fleet in
            let outcome = try await fleet.runVerbatim("ulimit -n 65; lockflight inventory check")
            #expect(outcome.code == FleetFixture.Exit.refused.rawValue)
            #expect(
                outcome.errors.contains(
                    "connections to 2 hosts need 66 file descriptors; the limit of this process is 65"),
                "\(outcome.errors)")
            // Only the hard limit counts.
            let raised = try await fleet.runVerbatim("ulimit -S -n 65; lockflight inventory check")
            #expect(raised.code == FleetFixture.Exit.verified.rawValue, "\(raised.errors)")
            let more = (1...998).map {
                "  - {name: more-\($0), address: 192.0.2.1, port: \($0), workingDirectory: /srv, layers: {core: {baseURL: \"http://127.0.0.1\"}}}\n"
            }
            let text = try String(contentsOfFile: fleet.lab.inventoryPath, encoding: .utf8)
            try (text + more.joined()).write(toFile: fleet.lab.inventoryPath, atomically: true, encoding: .utf8)
            try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
            let many = try await fleet.runVerbatim("ulimit -n 1024; lockflight inventory check")
            #expect(many.code == FleetFixture.Exit.refused.rawValue)
            #expect(
                many.errors.contains(
                    "connections to 1000 hosts need 1064 file descriptors; the limit of this process is 1024"),
                "\(many.errors)")
            #expect(many.errors.contains("ulimit -n 1064"), "\(many.errors)")
        }
    }

    /// The shell command that imports an inventory.
    private func importing(_ text: String, of fleet: FleetFixture) throws -> String {
        let file = "\(fleet.folder)/\(UUID().uuidString).yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return "'\(FleetFixture.executable)' inventory import '\(file)'"
    }

    @Test func scannedKeysArePinnedOnceAPersonSaysYes() async throws {
        try await FleetFixture.with(WayTests.pair) { fleet in
            try await fleet.lab.inject(.hostKeyChanged, on: "core-1", target: "1.5.0")
            let scan = ["inventory", "trust", "--scan", "core-1"]
            let changed = try await fleet.run(scan)
            #expect(changed.code == FleetFixture.Exit.refused.rawValue)
            #expect(changed.output.contains("pinned is ssh-ed25519 SHA256:"), "\(changed.output)")
            #expect(changed.output.contains("the host shows ssh-ed25519 SHA256:"), "\(changed.output)")
            let question = "Type \"yes\" to confirm:"
            let no = try await fleet.runOnTerminal(scan + ["--replace"], whenAsked: question, type: "y")
            #expect(no.code == FleetFixture.Exit.refused.rawValue, "\(no.output)")
            try await fleet.expect(.unreachable, "inventory", "check", "core-1")
            let text = try String(contentsOfFile: fleet.lab.inventoryPath, encoding: .utf8)
            let place = try fleet.lab.host("core-1").address
            let moved = try importing(text.replacing("address: \(place)\n", with: "address: 192.0.2.1\n"), of: fleet)
            let late = try await fleet.runOnTerminal(
                scan + ["--replace"], whenAsked: question, after: moved, type: "yes")
            #expect(late.code == FleetFixture.Exit.refused.rawValue, "\(late.output)")
            #expect(late.output.contains("not pinned: its inventory entry was changed meanwhile"), "\(late.output)")
            try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
            let spare =
                "  - {name: spare, address: 192.0.2.1, workingDirectory: /srv, layers: {core: {baseURL: \"http://127.0.0.1\"}}}\n"
            let added = try importing(text + spare, of: fleet)
            let yes = try await fleet.runOnTerminal(
                scan + ["--replace"], whenAsked: question, after: added, type: "yes")
            #expect(yes.code == FleetFixture.Exit.verified.rawValue, "\(yes.output)")
            try await fleet.expect(.verified, "inventory", "show", "spare")
            try await fleet.expect(.verified, "inventory", "check", "core-1")
            try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
            try await fleet.expect(.verified, "inventory", "trust", "--scan")
        }
    }

    @Test func aScriptPinsOnlyTheFingerprintsThatItNames() async throws {
        try await FleetFixture.with(WayTests.pair) { fleet in
            try await fleet.lab.inject(.hostKeyChanged, on: "core-1", target: "1.5.0")
            let scan = ["inventory", "trust", "--scan", "--replace", "core-1"]
            // Without a terminal or a fingerprint, no key has been confirmed.
            let silent = try await fleet.run(scan)
            #expect(silent.code == FleetFixture.Exit.refused.rawValue)
            let shown = try #require(silent.output.firstMatch(of: /--accept (SHA256:\S+)/)?.1)
            let other = try await fleet.run(scan + ["--accept", "SHA256:" + String(repeating: "A", count: 43)])
            #expect(other.code == FleetFixture.Exit.refused.rawValue)
            let outcome = try await fleet.run(scan + ["--accept", String(shown)])
            #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome.output)")
            try await fleet.expect(.verified, "inventory", "check", "core-1")
        }
    }
}

import Foundation
import LabFleet
import Subprocess
import SystemPackage
import Testing

@Suite("Keys to log in with")
struct KeyTests {
    private static let passphrase = "correct horse"

    /// The lab's key gets a passphrase.
    private func protectKey(of fixture: FleetFixture) async throws {
        let changed = try await Subprocess.run(
            .name("ssh-keygen"),
            arguments: ["-q", "-p", "-P", "", "-N", KeyTests.passphrase, "-f", fixture.lab.identityPath],
            output: .discarded, error: .discarded)
        try #require(changed.terminationStatus.isSuccess)
    }

    /// What remains of the ssh-agents of the fixture's commands: processes and folders.
    private func remains(of fixture: FleetFixture) async throws -> String {
        let processes = try await Subprocess.run(
            .name("pgrep"), arguments: ["-fa", "ssh-agent -a \(fixture.folder)"], output: .string(limit: 65_536)
        ).standardOutput
        let folders = try FileManager.default.contentsOfDirectory(atPath: fixture.folder)
        return processes + folders.filter { $0.hasPrefix("lockflight-keys-") }.joined(separator: "\n")
    }

    /// Runs `inventory check` on its own terminal; when asked for a passphrase, types it or kills the command.
    private func check(_ fixture: FleetFixture, whenAsked passphrase: String?) async throws -> FleetFixture.Outcome {
        try await fixture.runOnTerminal(["inventory", "check"], whenAsked: "Enter passphrase for", type: passphrase)
    }

    @Test(
        "a passphrase is asked for once, for every host and connection, and its agent ends with the process"
    )
    func askedOnce() async throws {
        try await FleetFixture.with { fixture in
            try await protectKey(of: fixture)
            let outcome = try await check(fixture, whenAsked: KeyTests.passphrase)
            #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome.output)")
            #expect(outcome.output.components(separatedBy: "Enter passphrase").count == 2, "\(outcome.output)")
            #expect(!outcome.output.contains(KeyTests.passphrase))
            try await fixture.wait(for: "the agent to end") { try await remains(of: fixture) == "" }
        }
    }

    @Test("unlocked standard keys are available to OpenSSH's own client too")
    func askedForOpenSSH() async throws {
        try await FleetFixture.with { fixture in
            _ = try await forgetKeys(of: fixture)
            let path = "\(fixture.folder)/unnamed.yaml"
            let inventory = try String(contentsOfFile: path, encoding: .utf8)
            try inventory.replacing("\ndefaults:\n", with: "\ndefaults:\n  transport: openssh\n").write(
                toFile: path, atomically: true, encoding: .utf8)
            try await fixture.expect(.verified, "inventory", "import", path)
            try await protectKey(of: fixture)
            try FileManager.default.copyItem(
                atPath: fixture.lab.identityPath, toPath: "\(fixture.folder)/home/.ssh/id_ed25519")
            let outcome = try await fixture.runOnTerminal(
                ["inventory", "check"], whenAsked: "Enter passphrase for", type: KeyTests.passphrase,
                variables: ["CFFIXED_USER_HOME": "\(fixture.folder)/home"])
            #expect(outcome.code == FleetFixture.Exit.verified.rawValue, "\(outcome.output)")
            try await fixture.wait(for: "the agent to end") { try await remains(of: fixture) == "" }
        }
    }

    @Test("a process that is killed takes its agent with it")
    func killed() async throws {
        try await FleetFixture.with { fixture in
            try await protectKey(of: fixture)
            // Killed while ssh-add waits for the passphrase, with the agent up.
            let outcome = try await check(fixture, whenAsked: nil)
            #expect(outcome.code == 128 + SIGKILL)
            try await fixture.wait(for: "the agent to end") { try await remains(of: fixture) == "" }
        }
    }

    @Test("without a terminal there is no prompt, and the error names ssh-add")
    func noTerminal() async throws {
        try await FleetFixture.with { fixture in
            try await protectKey(of: fixture)
            let outcome = try await fixture.runVerbatim("env -u SSH_AUTH_SOCK setsid -w lockflight inventory check")
            #expect(outcome.code == FleetFixture.Exit.unreachable.rawValue)
            #expect(outcome.output.contains("there is no terminal to ask for it"), "\(outcome.output)")
            #expect(outcome.output.contains("ssh-add -- \(fixture.lab.identityPath)"), "\(outcome.output)")
        }
    }

    /// Removes the keys from the lab's hosts; returns the variables of a home that has only an empty folder `.ssh`.
    private func forgetKeys(of fixture: FleetFixture) async throws -> String {
        try FileManager.default.createDirectory(
            atPath: "\(fixture.folder)/home/.ssh", withIntermediateDirectories: true)
        let inventory = try String(contentsOfFile: fixture.lab.inventoryPath, encoding: .utf8)
        let unnamed = inventory.split(separator: "\n").filter { !$0.contains("identityFile:") }
        try unnamed.joined(separator: "\n").write(
            toFile: "\(fixture.folder)/unnamed.yaml", atomically: true, encoding: .utf8)
        try await fixture.expect(.verified, "inventory", "import", "\(fixture.folder)/unnamed.yaml")
        // Foundation takes the home from the account, as OpenSSH does, except with this variable.
        return "CFFIXED_USER_HOME=\(fixture.folder)/home COLUMNS=2000"
    }

    @Test("a host that names no key is logged into with the keys that the ssh-agent holds, and an empty agent is named")
    func agentKeys() async throws {
        try await FleetFixture.with { fixture in
            let variables = try await forgetKeys(of: fixture)
            func check(with words: String) async throws -> FleetFixture.Outcome {
                try await fixture.runVerbatim(
                    "env \(variables) ssh-agent sh -c '\(words)exec setsid -w lockflight inventory check'")
            }
            let empty = try await check(with: "")
            #expect(empty.code == FleetFixture.Exit.unreachable.rawValue)
            #expect(empty.output.contains("holds none; make one with: ssh-keygen"), "\(empty.output)")

            let held = try await check(with: "ssh-add -q \(fixture.lab.identityPath) && ")
            #expect(held.code == FleetFixture.Exit.verified.rawValue, "\(held.output)")
        }
    }

    @Test("for a key that needs a security key, the error names OpenSSH's own client")
    func securityKey() async throws {
        try await FleetFixture.with { fixture in
            let variables = try await forgetKeys(of: fixture)
            // Only the public half tells the type; a private one cannot be made without the device.
            let blob = KeyTests.blob(type: "sk-ssh-ed25519@openssh.com")
            try "sk-ssh-ed25519@openssh.com \(blob)\n".write(
                toFile: "\(fixture.folder)/home/.ssh/id_ed25519_sk.pub", atomically: true, encoding: .utf8)
            let outcome = try await fixture.runVerbatim(
                "env \(variables) ssh-agent setsid -w lockflight inventory check")
            #expect(outcome.code == FleetFixture.Exit.unreachable.rawValue)
            #expect(
                outcome.output.contains(
                    "write 'transport: openssh' in the inventory's entries of the hosts that it is for"),
                "\(outcome.output)")
        }
    }

    /// A public key's blob in base64: the type, 32 bytes, and the application's name, each after its length (RFC 4251).
    private static func blob(type: String) -> String {
        func field(_ bytes: [UInt8]) -> [UInt8] {
            withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { [UInt8]($0) } + bytes
        }
        return Data(field(Array(type.utf8)) + field(Array(repeating: 7, count: 32)) + field(Array("ssh:".utf8)))
            .base64EncodedString()
    }

    @Test(
        "a host that names no key is logged into with the existing standard keys, and refused keys are named"
    )
    func standardKeys() async throws {
        try await FleetFixture.with { fixture in
            let folder = "\(fixture.folder)/home/.ssh"
            let variables = try await forgetKeys(of: fixture)
            let check = "env -u SSH_AUTH_SOCK \(variables) setsid -w lockflight inventory check"

            let without = try await fixture.runVerbatim(check)
            #expect(without.output.contains("none of ~/.ssh/id_ed25519, ~/.ssh/id_ecdsa, ~/.ssh/id_rsa, "))
            #expect(without.output.contains("is there, and SSH_AUTH_SOCK names no ssh-agent"))

            let made = try await Subprocess.run(
                .name("ssh-keygen"), arguments: ["-q", "-t", "ed25519", "-N", "", "-f", "\(folder)/id_ed25519"],
                output: .discarded, error: .discarded)
            try #require(made.terminationStatus.isSuccess)
            let refused = try await fixture.runVerbatim(check)
            #expect(refused.code == FleetFixture.Exit.unreachable.rawValue)
            #expect(refused.output.contains("\(folder)/id_ed25519 (ssh-ed25519 SHA256:"), "\(refused.output)")
            #expect(!refused.output.contains("the certificate"))

            // OpenSSH's client takes any file with that name for the key's certificate.
            let certificate = "\(folder)/id_ed25519-cert.pub"
            try FileManager.default.copyItem(atPath: "\(folder)/id_ed25519.pub", toPath: certificate)
            let uncertified = try await fixture.runVerbatim(check)
            let words =
                "Not tried: the certificate \(certificate), because libssh2 does not support certificates. OpenSSH's own client"
            #expect(uncertified.output.contains(words), "\(uncertified.output)")

            try FileManager.default.copyItem(atPath: fixture.lab.identityPath, toPath: "\(folder)/id_ecdsa")
            let accepted = try await fixture.runVerbatim(check)
            #expect(accepted.code == FleetFixture.Exit.verified.rawValue, "\(accepted.output)")
        }
    }
}

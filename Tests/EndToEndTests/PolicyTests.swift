import Foundation
import LabFleet
import Subprocess
import SystemPackage
import Testing
import UpgradeDomain

/// The policy's commands as they are typed, with a key whose passphrase is asked for on the terminal.
@Suite struct PolicyTests {
    private func makeKey(_ path: String, passphrase: String) async throws {
        let made = try await Subprocess.run(
            .name("ssh-keygen"), arguments: ["-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", path],
            output: .discarded, error: .discarded)
        try #require(made.terminationStatus.isSuccess)
    }

    @Test func theFirstPolicyIsSignedOnATerminalAndStored() async throws {
        try await FleetFixture.with { fleet in
            let passphrase = "correct horse"
            try await makeKey("\(fleet.folder)/ana", passphrase: passphrase)
            try await makeKey("\(fleet.folder)/bo", passphrase: "")
            let keys = try ["ana", "bo"].map {
                try String(contentsOfFile: "\(fleet.folder)/\($0).pub", encoding: .utf8)
            }
            let layers = fleet.lab.layout.layers.map { "  \($0): {owners: [ana, bo]}\n" }.joined()
            let policy = """
                format: 1
                people:
                  ana: {keys: ["\(keys[0].trimmingCharacters(in: .newlines))"]}
                  bo: {keys: ["\(keys[1].trimmingCharacters(in: .newlines))"]}
                signers: {people: [ana, bo], threshold: 2}
                layers:
                \(layers)
                """
            let (yaml, text) = ("\(fleet.folder)/policy.yaml", "\(fleet.folder)/policy-v1.json")
            try policy.write(toFile: yaml, atomically: true, encoding: .utf8)
            try await fleet.expect(.verified, "policy", "check", yaml)
            let asked = try await fleet.runOnTerminal(
                ["policy", "sign", yaml, "--key", "\(fleet.folder)/ana"], whenAsked: "Enter passphrase",
                type: passphrase)
            #expect(asked.code == FleetFixture.Exit.verified.rawValue, "\(asked.output)")
            #expect(!asked.output.contains(passphrase) && asked.output.contains("signed     1 of 2"))
            // ssh-keygen does not say which key it asks for.
            #expect(asked.output.contains("signing \(text) with \(fleet.folder)/ana"))

            // The program's own next command, with the key filled in.
            let next = try #require(asked.output.components(separatedBy: "next: ").last)
            let line = next.trimmingCharacters(in: .whitespacesAndNewlines).replacing("KEY", with: "\(fleet.folder)/bo")
            let bo = try await fleet.runVerbatim(line)
            #expect(bo.code == 0 && bo.errors.contains("next: lockflight policy add \(text)"), "\(bo)")
            let added = try await fleet.runVerbatim("lockflight policy add \(text) --json")
            let fingerprint = try added.document().value(at: "/fingerprint")?.scalarText
            let sum = try await fleet.runVerbatim("sha256sum \(text)")
            #expect(fingerprint == "sha256:" + sum.output.prefix(64))
            let shown = try await fleet.expect(.verified, "policy", "show", "--json").document()
            #expect(shown.value(at: "/trustedFingerprint")?.scalarText == fingerprint)
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }
}

import Approvals
import ContentDigest
import Foundation
import RunRecord
import Subprocess
import Testing
import UpgradeDomain

/// Where the policy names builders, a plan can not start without their signatures under its release manifests.
struct ReleaseLackTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/release-lack-\(UUID().uuidString)"

    private func run(_ words: String...) async throws {
        let record = try await Subprocess.run(
            .name(words[0]), arguments: Arguments(Array(words.dropFirst())), output: .discarded,
            error: .string(limit: 10_000))
        try #require(record.terminationStatus.isSuccess, "\(words): \(record.standardError)")
    }

    /// Of `ada`, `bo` and `eve`; the first two are the builders, and both of them must sign.
    private func policy() async throws -> Policy {
        var people: [Owner: PolicyPerson] = [:]
        for name in ["ada", "bo", "eve"] {
            try await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "\(folder)/\(name)")
            let line = try String(contentsOfFile: "\(folder)/\(name).pub", encoding: .utf8)
            people[Owner(name)] = PolicyPerson(keys: [
                line.split(separator: " ").prefix(2).joined(separator: " ").trimmingCharacters(in: .newlines)
            ])
        }
        return Policy(
            ledger: "l", version: 1, issuedAt: WallTime(clamping: 0), people: people,
            signers: PolicyGroup(people: ["ada"]), layers: ["app": PolicyLayer(owners: ["ada"])],
            builders: PolicyGroup(people: ["ada", "bo"], threshold: 2))
    }

    private func layer(_ release: ReleaseManifest?) -> PlanLayer {
        var layer = PlanLayer(
            name: "app", version: VersionChange(from: "1", to: "2"), components: [], steps: [],
            rollback: RollbackPosture(command: nil, boundary: .oneWay), batches: [], soakSeconds: 0, sampleSeconds: 1,
            healthyWithinSeconds: 1, progressDeadlineSeconds: 1, failedWhen: [])
        layer.release = release
        return layer
    }

    private func signature(of text: String, by name: String, for namespace: String = "release.v1@lockflight")
        async throws -> String
    {
        let file = "\(folder)/\(UUID().uuidString)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        try await run("ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", "\(folder)/\(name)", file)
        return try String(contentsOfFile: "\(file).sig", encoding: .utf8)
    }

    @Test func asManyBuildersAsThePolicyAsksForMustHaveSigned() async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var policy = try await policy()
        #expect(
            policy.releaseLack(of: layer(nil))
                == "layer app has no release manifest, and the policy asks for one that 2 builders signed")
        var release = ReleaseManifest(files: ["bin/app": Digest.sha256(of: [1])])
        let ask = "the release manifest of layer app needs the signatures of 2 builders (ada, bo)"
        #expect(policy.releaseLack(of: layer(release)) == ask)
        let ada = try await signature(of: release.text, by: "ada")
        release.signatures = [ada, try await signature(of: release.text, by: "eve")]
        let half = try #require(policy.releaseLack(of: layer(release)))
        #expect(half.hasPrefix("\(ask); signed by ada; ") && half.hasSuffix("eve is none of the builders"), "\(half)")
        // The same builder twice, and a signature for something else, do not make two.
        release.signatures = [ada, ada, try await signature(of: release.text, by: "bo", for: "approve.v1@lockflight")]
        #expect(policy.releaseLack(of: layer(release))?.hasPrefix("\(ask); signed by ada") == true)
        release.signatures = [ada, try await signature(of: release.text, by: "bo")]
        #expect(policy.releaseLack(of: layer(release)) == nil)
        policy.builders = nil
        #expect(policy.releaseLack(of: layer(nil)) == nil)
    }
}

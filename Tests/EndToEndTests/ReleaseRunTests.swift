import ContentDigest
import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A plan with a release manifest and hold points, over real sshd.
struct ReleaseRunTests {
    private static let files = ["scripts/redeploy-host-stack.sh", "releases/1.5.0/manifest.sha256"]

    /// Writes the manifest as it is on a host, and says where a plan has it.
    private func release(_ fleet: FleetFixture) throws -> (String) -> String {
        let directory = try fleet.lab.host("core-1").workingDirectory
        let lines = try ReleaseRunTests.files.map { path in
            let digest = try #require(Digest.ofFile("\(directory)/\(path)"))
            return "\(digest.rawValue.dropFirst(7)) *./\(path)\n"
        }
        try lines.joined().write(toFile: fleet.folder + "/stack-1.5.0.sha256", atomically: true, encoding: .utf8)
        return { $0.replacing("  batches:", with: "  release: \"stack-${to}.sha256\"\n  batches:") }
    }

    @Test func aHostWithAnotherFileThanTheReleaseManifestIsHeldBeforeAnythingChanges() async throws {
        try await FleetFixture.with { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: try release(fleet))
            let shown = try await fleet.expect(.verified, "plan", "show", "lab-1.5.0")
            #expect(shown.output.contains("  release    2 files, "), "\(shown.output)")
            let file = try fleet.lab.host("core-1").workingDirectory + "/releases/1.5.0/manifest.sha256"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let wanted = Digest.sha256(of: Array(text.utf8)).short
            try (text + "\n").write(toFile: file, atomically: true, encoding: .utf8)
            let found = Digest.sha256(of: Array((text + "\n").utf8)).short
            let words =
                "not what the release manifest says: releases/1.5.0/manifest.sha256 is \(found), not \(wanted)"
            let check = try await fleet.run(["inventory", "check", "--plan", "lab-1.5.0", "--json"])
            #expect(check.output.contains("release-mismatch") && check.output.contains(words), "\(check)")
            let held = try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            let joined = (held.output + held.errors).split { $0.isWhitespace }.joined(separator: " ")
            #expect(joined.contains(words) && joined.contains("core-1"), "\(held)")
            #expect(try await fleet.holdCode() == "release-mismatch")
            for host in fleet.lab.hosts {
                let layer = try #require(host.layers.first)
                #expect(try await fleet.version(host.name, layer) == "1.4.0")
                #expect(try fleet.journal(of: host.name).isEmpty)
            }
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            try await fleet.expect(.verified, "rollout", "resume")
        }
    }

    @Test func aLeafIsShownInWordsAndAsADocument() async throws {
        try await FleetFixture.with { fleet in
            let release = try release(fleet)
            try await fleet.approvePlan(to: "1.5.0") { release($0) + "holdPoints: [core/1, run]\n" }
            let shown = try await fleet.expect(.verified, "plan", "show", "lab-1.5.0")
            for place in ["the first change", "layer core, batch 1"] {
                #expect(shown.output.contains("the run waits for approval before \(place)"), "\(shown.output)")
            }
            let leaf = try await fleet.expect(.verified, "plan", "show", "lab-1.5.0", "--leaf", "core-1")
            for words in ["host       core-1", "  step       redeploy: bash", "redeploy-host-stack.sh is sha256:"] {
                #expect(leaf.output.contains(words), "\(words) in \(leaf.output)")
            }
            let document = try await fleet.expect(
                .verified, "plan", "show", "lab-1.5.0", "--leaf", "core-1", "--json"
            ).document()
            let bytes = try CanonicalJSON.encode(try #require(document.value(at: "/leaf")))
            #expect(document.value(at: "/digest")?.scalarText == Digest.sha256(of: [0] + bytes).rawValue)
            try await fleet.expect(.refused, "plan", "show", "lab-1.5.0", "--leaf", "nowhere")
        }
    }
}

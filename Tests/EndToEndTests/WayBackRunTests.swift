import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Releases that replace their own scripts: the rollback uses the scripts of the previous version.
struct WayBackRunTests {
    /// Replaces every shell script of the stack, as a checkout of a release does: a rollback that ran any of the new
    /// scripts would fail. Must be used inside single quotes.
    static let replacingScripts =
        ##"for f in scripts/*.sh; do rm "$f"; printf "#!/bin/sh\necho new; exit 66\n" >"$f"; chmod 755 "$f"; done"##

    /// The lab's plan with one more step, which replaces the scripts.
    /// - Parameter extra: further lines of `layerDefaults`.
    static func plan(_ text: String, extra: String = "") -> String {
        let step = "    - {name: replace, run: [bash, -c, '\(replacingScripts)'], timeoutSeconds: 20}\n"
        return text.replacing("  rollback:\n", with: "\(step)\(extra)  rollback:\n")
    }

    @Test func aReleaseThatReplacedEveryScriptIsRolledBackByHostByLayerAndFully() async throws {
        try await FleetFixture.with(.standard(hosts: 4)) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: { WayBackRunTests.plan($0) })
            let run = try await fleet.run(["rollout", "start", "lab-1.5.0"])
            #expect(run.code == FleetFixture.Exit.verified.rawValue, "\(run.output)\(run.errors)")
            let edge = try #require(fleet.lab.hosts.last?.name)
            try await fleet.expect(.rolledBackVerified, "rollback", "--host", "\(edge)", "--reason", "test")
            try await fleet.expect(.rolledBackVerified, "rollback", "--layer", "edge", "--reason", "test")
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
            for host in fleet.lab.hosts {
                for layer in host.layers { #expect(try await fleet.version(host.name, layer) == "1.4.0") }
                let names = try FileManager.default.contentsOfDirectory(atPath: host.workingDirectory)
                #expect(!names.contains { $0.contains(".lockflight-") }, "\(names)")
            }
            try await fleet.expect(.verified, "rollout", "finalize")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func aHostWhoseScriptsWereReplacedGoesBackByItself() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let confirming = "  confirmWithinSeconds: 5\n"
            try await fleet.approvePlan(to: "1.5.0", change: { WayBackRunTests.plan($0, extra: confirming) })
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await fleet.wait(for: "the change") { try await fleet.version("core-1", "core") == "1.5.0" }
                try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
            }
            #expect(outcome.code == FleetFixture.Exit.unreachable.rawValue, "\(outcome.output)\(outcome.errors)")
            try await fleet.wait(for: "the host to go back by itself") {
                try await fleet.version("core-1", "core") == "1.4.0"
            }
            try await fleet.lab.mend("core-1")
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }
}

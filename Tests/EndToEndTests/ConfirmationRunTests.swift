import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// A host that loses contact after a change rolls back by itself, over real sshd.
struct ConfirmationRunTests {
    /// The redeploy counts its runs and starts once the test allows it.
    static func waiting(_ plan: String, confirmWithinSeconds seconds: Int) -> String {
        CrashTests.counting(plan)
            .replacingOccurrences(
                of: "exec bash ./scripts", with: "until [ -e ../go ]; do sleep 0.05; done; exec bash ./scripts"
            )
            .replacingOccurrences(
                of: "  healthyWithinSeconds:", with: "  confirmWithinSeconds: \(seconds)\n  healthyWithinSeconds:")
    }

    @Test func aHostWithoutALinkAfterItsChangeGoesBackByItselfAndReportsIt() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let plan = { ConfirmationRunTests.waiting($0, confirmWithinSeconds: 5) }
            try await fleet.approvePlan(to: "1.5.0", change: plan)
            let root = try fleet.lab.host("core-1").root
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { _ in
                try await fleet.wait(for: "the redeploy to begin") { try CrashTests.redeploys(fleet, "core-1") == 1 }
                try await fleet.lab.inject(.sshdDown, on: "core-1", target: "1.5.0")
                try Data().write(to: URL(fileURLWithPath: root + "/go"))
                try await fleet.wait(for: "the change") { try await fleet.version("core-1", "core") == "1.5.0" }
            }
            #expect(outcome.code == FleetFixture.Exit.unreachable.rawValue, "\(outcome.output)\(outcome.errors)")
            // No coordinator is connected: it has ended and the link is down.
            try await fleet.wait(for: "the host to go back by itself") {
                try await fleet.version("core-1", "core") == "1.4.0"
            }
            try await fleet.lab.mend("core-1")
            try await fleet.expect(.notRecovered, "recover", "recheck", "core-1")
            #expect(try await fleet.holdCode() == "change-reverted")
            let events = try await fleet.run(["events"]).output
            #expect(events.contains("reverted"), "\(events)")
            try await fleet.expect(.rolledBackVerified, "rollback", "--host", "core-1")
            for name in ["core-1", "core-2", "core-3"] {
                try Data().write(to: URL(fileURLWithPath: try fleet.lab.host(HostName(name)).root + "/go"))
            }
            try await fleet.expect(.verified, "rollout", "resume")
            // The reverted operation ran once; the host was then tried again under a new id.
            #expect(try CrashTests.redeploys(fleet, "core-1") == 2)
            for host in fleet.lab.hosts { #expect(try await fleet.version(host.name, "core") == "1.5.0") }
            try await fleet.expect(.verified, "ledger", "verify")
        }
    }

    @Test func stoppingTheDriverSaysWhichHostsWillGoBackAndWhen() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            let plan = { ConfirmationRunTests.waiting($0, confirmWithinSeconds: 600) }
            try await fleet.approvePlan(to: "1.5.0", change: plan)
            let outcome = try await fleet.withRunning("rollout", "start", "lab-1.5.0") { process in
                try await fleet.wait(for: "the redeploy to begin") { try CrashTests.redeploys(fleet, "core-1") == 1 }
                kill(process, SIGTERM)
            }
            #expect(outcome.code == FleetFixture.Exit.detached.rawValue)
            #expect(
                outcome.errors.contains(
                    "core-1 rolls back automatically unless it is confirmed within 600 s of the end of"),
                "\(outcome.errors)")
            for host in fleet.lab.hosts { try Data().write(to: URL(fileURLWithPath: host.root + "/go")) }
            try await fleet.expect(.verified, "rollout", "resume")
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }
        }
    }
}

import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// Two ledgers never drive one host, whether they are independent or one is a copy.
struct CopiedLedgerTests {
    @Test func aCopiedLedgerDrivesNoHostThatTheOriginalHasDrivenSince() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            let copy = fleet.folder + "/copy.sqlite"
            // Copied as by `cp` while no driver runs; a restore would start above all epochs.
            try await fleet.expect(.verified, "backup", copy)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.verified, "rollout", "finalize")

            // The copy issues the same epoch and stops before it changes anything.
            let stopped = try await fleet.run(["rollout", "start", "lab-1.5.0", "--ledger", copy])
            #expect(stopped.code == FleetFixture.Exit.held.rawValue)
            let shown = try await fleet.run(["status", "--ledger", copy])
            #expect(shown.output.contains("ledger-copied"))
            #expect(shown.output.contains("a lease that this ledger did not issue"), "\(shown.output)")
            for host in fleet.lab.hosts { #expect(try CrashTests.redeploys(fleet, host.name) == 1) }

            // An owner may decide that the copy is the valid ledger from now on.
            func adopt(_ host: String, _ owner: String) async throws -> FleetFixture.Outcome {
                try await fleet.run(["lease", "adopt", host, "--as", owner, "--reason", "moved", "--ledger", copy])
            }
            #expect(try await adopt("core-1", "stranger").code == FleetFixture.Exit.refused.rawValue)
            for host in fleet.lab.hosts {
                let adopted = try await adopt(host.name.rawValue, "core-owner")
                #expect(adopted.code == FleetFixture.Exit.verified.rawValue, "\(adopted.errors)")
            }
            #expect(try await adopt("core-1", "core-owner").code == FleetFixture.Exit.refused.rawValue)

            // Then the original counts as the copy.
            try await fleet.expect(.verified, "rollout", "cancel", "--ledger", copy)
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.expect(.held, "rollout", "start", "lab-1.5.0")
            #expect(try await fleet.holdCode() == "ledger-copied")
        }
    }
}

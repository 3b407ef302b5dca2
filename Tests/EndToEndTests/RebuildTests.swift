import Foundation
import LabFleet
import Testing
import UpgradeDomain

/// If the database is lost without a backup, the hosts' own records are enough to go on.
struct RebuildTests {
    private func loseLedger(_ fleet: FleetFixture) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: fleet.folder)
        where name.hasPrefix("ledger.sqlite") {
            try FileManager.default.removeItem(atPath: fleet.folder + "/" + name)
        }
    }

    private func beginAnew(_ fleet: FleetFixture) async throws {
        try await fleet.expect(.verified, "inventory", "import", fleet.lab.inventoryPath)
        try await fleet.expect(.verified, "inventory", "trust", "--known-hosts", fleet.lab.knownHostsPath)
    }

    @Test func aLostLedgerIsRebuiltFromTheHostsAndTheNextRunIsDriven() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try await fleet.expect(.rolledBackVerified, "rollback", "--all", "--reason", "test")
            try loseLedger(fleet)

            try await beginAnew(fleet)
            // Another ledger may not drive these hosts.
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            let stranger = try await fleet.run(["rollout", "start", "lab-1.5.0"])
            #expect(stranger.code == FleetFixture.Exit.held.rawValue)
            #expect(try await fleet.holdCode() == "host-owned-elsewhere")
            // Nor may a ledger with its own runs take the place of another.
            try await fleet.expect(.refused, "ledger", "rebuild", "--from-hosts")
            try loseLedger(fleet)

            try await beginAnew(fleet)
            let rebuilt = try await fleet.expect(.verified, "ledger", "rebuild", "--from-hosts", "--json")
            guard case .array(let operations) = try rebuilt.document() else { throw CancellationError() }
            #expect(operations.count == 6)
            let shown = try await fleet.expect(.verified, "ledger", "reconstructed")
            #expect(shown.output.contains("RECONSTRUCTED"))
            for host in fleet.lab.hosts {
                for id in try fleet.journal(of: host.name) { #expect(shown.output.contains(id)) }
            }
            try await fleet.expect(.verified, "ledger", "verify")
            try await fleet.approvePlan(to: "1.5.0", change: CrashTests.counting)
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            for host in fleet.lab.hosts { #expect(try await fleet.version(host.name, "core") == "1.5.0") }
        }
    }

    @Test func aHostThatCanNotBeAskedIsNamed() async throws {
        try await FleetFixture.with(CrashTests.three) { fleet in
            try await fleet.approvePlan(to: "1.5.0")
            try await fleet.expect(.verified, "rollout", "start", "lab-1.5.0")
            try loseLedger(fleet)
            try await beginAnew(fleet)
            try await fleet.lab.inject(.sshdDown, on: "core-2", target: "1.5.0")
            let refused = try await fleet.expect(.unreachable, "ledger", "rebuild", "--from-hosts")
            #expect(
                refused.errors.contains("core-2")
                    && refused.errors.contains("next: lockflight ledger rebuild --from-hosts\n"))
            try await fleet.expect(.verified, "ledger", "rebuild", "--from-hosts", "--without", "core-2")
        }
    }
}

import Ledger
import Testing
import UpgradeDomain

/// A run that a newer Lockflight has written to is not driven by a version that cannot read all of it.
struct VersionTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test func anEventOfANewerShapeIsNamedAndNothingIsLost() async throws {
        do {
            let ledger = try await fixture.openWithRun()
            let lease = try await ledger.lease()
            try await ledger.record([.driverDetached(reason: "done")], lease: lease.epoch)
        }
        try tamper(fixture.path, "UPDATE events SET version = 9 WHERE sequence = 2")
        let ledger = try await fixture.open()
        let error = await #expect(throws: LedgerError.self) { try await ledger.events(of: "r-one") }
        #expect(error?.code == .newerSchema)
        #expect(error?.message.contains("Event 2 of the run r-one has the newer format 9") == true)
        // Older events can still be read, and nothing was changed.
        #expect(try await ledger.events(of: "r-one", limit: 1).count == 1)
        #expect(try await ledger.headSequence(of: "r-one") == 2)
    }
}

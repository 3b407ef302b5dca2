import ContentDigest
import Ledger
import Testing
import UpgradeDomain

/// Raw evidence may be pruned once its run is final; the chain stays intact and records the pruning.
struct PruneTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func capture(_ digest: Digest) -> RunEvent {
        let reading = SurfaceReading(name: "services", role: .family, durationMilliseconds: 1, rawDigest: digest)
        let capture = Capture(
            subject: .placement(Placement(host: "core-1", layer: "core")), takenAt: Fixture.now, surfaces: [reading])
        return .captured(CaptureRecord(purpose: .baseline, capture: capture, orderedAfter: 1))
    }

    /// A run with one unique answer and one that another run shares.
    private func run(_ id: RunID, host: HostName, own: [UInt8], shared: [UInt8], in ledger: Ledger) async throws {
        _ = try await ledger.startRun(Fixture.definition(id, in: ledger, hosts: [host]), by: "ana", at: Fixture.now)
        let lease = try await ledger.lease(on: id)
        try await ledger.record(
            [own, shared].map { capture(Digest.sha256(of: $0)) }, with: [own, shared], on: id, lease: lease.epoch)
    }

    @Test func onlyEvidenceThatNoOtherRunCitesIsPrunedAndTheChainRecordsIt() async throws {
        let ledger = try await fixture.open()
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        let answers = ["one", "two", "both"].map { Array($0.utf8) }
        let blobs = answers.map { Digest.sha256(of: $0) }
        try await run("r-one", host: "core-1", own: answers[0], shared: answers[2], in: ledger)
        try await run("r-two", host: "core-2", own: answers[1], shared: answers[2], in: ledger)

        let refused = await #expect(throws: LedgerError.self) {
            try await ledger.pruneEvidence(of: "r-one", by: "ana", reason: "old", at: Fixture.now)
        }
        #expect(refused?.code == .contradiction)
        #expect(try await ledger.blob(blobs[0]) != nil)

        try await ledger.record([Fixture.request(.finalize)], on: "r-one")
        let pruning = try await ledger.pruneEvidence(of: "r-one", by: "ana", reason: "old", at: Fixture.now)
        #expect(pruning == EvidencePruning(by: "ana", reason: "old", answers: 1, bytes: 3))
        #expect(try await ledger.blob(blobs[0]) == nil)
        #expect(try await ledger.blob(blobs[1]) != nil)
        #expect(try await ledger.blob(blobs[2]) != nil)
        #expect(try await ledger.events(of: "r-one").last?.event == .evidencePruned(pruning))
        #expect(try await ledger.verify().isSound)
        await #expect(throws: LedgerError.self) {
            try await ledger.pruneEvidence(of: "r-one", by: "ana", reason: "again", at: Fixture.now)
        }
        // A blob that disappeared without a record is still a fault.
        try await ledger.record([Fixture.request(.finalize)], on: "r-two")
        try tamper(fixture.path, "DELETE FROM blobs WHERE digest = '\(blobs[1].rawValue)'")
        #expect(try await !ledger.verify().isSound)
    }
}

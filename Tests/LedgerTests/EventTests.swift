import ContentDigest
import Ledger
import TestSupport
import Testing
import UpgradeDomain

@Suite("Events of a run")
struct EventTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    @Test("every kind of event reads back as recorded, even after reopening")
    func roundTrip() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let events = Fixture.everyDriverEvent(epoch: lease.epoch, evidence: Digest.sha256(of: [1, 2, 3]))
        let recorded = try await ledger.record(events, with: [[1, 2, 3]], lease: lease.epoch)
        #expect(recorded.map(\.sequence) == Array(2...UInt64(events.count + 1)))
        let reread = try await fixture.open().events(of: "r-one")
        #expect(Array(reread.dropFirst()) == recorded)
        #expect(reread.dropFirst().map(\.event) == events)
        guard case .runStarted(let definition) = reread[0].event else { throw TamperFailure(output: "no definition") }
        #expect(try definition == Fixture.definition("r-one", in: ledger, hosts: ["core-1", "core-2"]))
        #expect(Set(reread.map(\.hash)).count == reread.count)
    }

    @Test("reading events directly agrees with their Codable")
    func direct() throws {
        for event in Fixture.everyDriverEvent(epoch: 3, evidence: "sha256:01") { try expectDirectAgrees(event) }
        let purposes: [CapturePurpose] = [
            .baseline, .drift(attempt: 2), .verification(attempt: 1), .boundary(.batch(layer: "core", index: 1)),
            .boundary(.layer("core")), .boundary(.end), .boundary(.preflight), .postFailure, .recheck, .rollbackProof,
            .reproof(epoch: 7), .beforeRollback(attempt: 1), .rollbackVerification(attempt: 1),
        ]
        for purpose in purposes { try expectDirectAgrees(purpose) }
    }

    @Test("an event that would not read back unchanged is not recorded")
    func readBack() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let record = { (milliseconds: Int64) in
            RunEvent.operationEnded(
                OperationRecord(id: "op", outcome: .exited(code: 0), durationMilliseconds: milliseconds))
        }
        for beyond in [Int64.max, .min, 9_007_199_254_740_992] {
            let error = await #expect(throws: LedgerError.self) {
                try await ledger.record([record(beyond)], lease: lease.epoch)
            }
            #expect(error?.code == .contradiction)
        }
        // A layer name with a slash would be read as a host in a layer.
        let capture = Capture(subject: .layer("a/b"), takenAt: Fixture.now, surfaces: [])
        let captured = RunEvent.captured(CaptureRecord(purpose: .baseline, capture: capture, orderedAfter: 1))
        let error = await #expect(throws: LedgerError.self) { try await ledger.record([captured], lease: lease.epoch) }
        #expect(error?.message.contains("does not read back as the same value") == true)
        #expect(try await ledger.headSequence(of: "r-one") == 1)
        try await ledger.record([record(9_007_199_254_740_991)], lease: lease.epoch)
        #expect(try await fixture.open().events(of: "r-one").count == 2)
    }

    @Test("reads page by sequence number and never return more than the limit")
    func paging() async throws {
        let ledger = try await fixture.openWithRun()
        for _ in 0..<5 { try await ledger.record([Fixture.request(.pause)]) }
        #expect(try await ledger.events(of: "r-one", after: 2, limit: 2).map(\.sequence) == [3, 4])
        #expect(try await ledger.events(of: "r-one", after: 6).isEmpty)
        #expect(try await ledger.events(of: "r-one", after: .max).isEmpty)
        #expect(try await ledger.events(of: "r-one", limit: -1).isEmpty)
        #expect(try await ledger.headSequence(of: "r-one") == 6)
    }

    @Test("an append from a stale head is a conflict and records nothing")
    func conflict() async throws {
        let first = try await fixture.openWithRun()
        let second = try await fixture.open()
        let lease = try await first.lease()
        // The operator in the second terminal appends between the driver's read and its append.
        _ = try await second.append([Fixture.request(.pause)], to: "r-one", after: 1, lease: nil, at: Fixture.now)
        let error = await #expect(throws: LedgerError.self) {
            try await first.append(
                [.driverDetached(reason: "x")], to: "r-one", after: 1, lease: lease.epoch, at: Fixture.now)
        }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains("at event 2") == true)
        // The driver reads the new event and continues.
        #expect(try await first.events(of: "r-one", after: 1).map(\.event) == [Fixture.request(.pause)])
        let recorded = try await first.append(
            [.driverDetached(reason: "x")], to: "r-one", after: 2, lease: lease.epoch, at: Fixture.now)
        #expect(recorded.map(\.sequence) == [3])
        #expect(try await second.verify().isSound)
    }

    @Test("only requests may be appended without a lease")
    func leaseRequired() async throws {
        let ledger = try await fixture.openWithRun()
        for event in Fixture.everyDriverEvent(epoch: 1, evidence: nil).dropLast() {
            let error = await #expect(throws: LedgerError.self) {
                try await ledger.record([Fixture.request(.pause), event])
            }
            #expect(error?.code == .leaseRequired)
        }
        #expect(try await ledger.headSequence(of: "r-one") == 1)
    }

    @Test("nothing is recorded after finalize, and a run is started and superseded only by starting a run")
    func closedRun() async throws {
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let definition = try Fixture.definition("r-one", in: ledger, hosts: ["core-1"])
        for group in [
            [.runStarted(definition)], [Fixture.request(.supersede(by: "r-two"))],
            [Fixture.request(.finalize), Fixture.request(.pause)],
        ] {
            let error = await #expect(throws: LedgerError.self) { try await ledger.record(group, lease: lease.epoch) }
            #expect(error?.code == .contradiction)
        }
        try await ledger.record([Fixture.request(.finalize)])
        let error = await #expect(throws: LedgerError.self) { try await ledger.record([Fixture.request(.pause)]) }
        #expect(error?.code == .runClosed)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.lease() }?.code == .runClosed)
        #expect(try await ledger.run(matching: "r-one").standing == .finalized)
    }

    @Test("an append is bounded in events and bytes")
    func bounds() async throws {
        let ledger = try await fixture.openWithRun()
        let many = Array(repeating: Fixture.request(.pause), count: LedgerLimits.eventsPerAppend + 1)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.record(many) }?.code == .tooLarge)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.record([]) }?.code == .tooLarge)
        let long = Request(action: .pause, by: "ana", reason: String(repeating: "x", count: LedgerLimits.eventBytes))
        #expect(
            await #expect(throws: LedgerError.self) { try await ledger.record([.requested(long)]) }?.code == .tooLarge)
        let blob = [UInt8](repeating: 0, count: LedgerLimits.blobBytes + 1)
        let pause = [Fixture.request(.pause)]
        #expect(
            await #expect(throws: LedgerError.self) { try await ledger.record(pause, with: [blob]) }?.code == .tooLarge)
        let piece = [UInt8](repeating: 0, count: LedgerLimits.blobBytes)
        let blobs = Array(repeating: piece, count: LedgerLimits.evidenceBytes / piece.count + 1)
        #expect(
            await #expect(throws: LedgerError.self) { try await ledger.record(pause, with: blobs) }?.code == .tooLarge)
        #expect(try await ledger.headSequence(of: "r-one") == 1)
    }

    @Test("appends that race through two handles leave one gapless chain")
    func race() async throws {
        let handles = [try await fixture.openWithRun(), try await fixture.open()]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for ledger in handles {
                group.addTask {
                    var appended = 0
                    while appended < 50 {
                        do {
                            try await ledger.record([Fixture.request(.pause)])
                            appended += 1
                        } catch let error as LedgerError where error.code == .conflict {
                            continue
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await handles[0].headSequence(of: "r-one") == 101)
        #expect(try await handles[1].verify().isSound)
    }

    @Test("the change token changes on own and foreign writes only")
    func changeToken() async throws {
        let ledger = try await fixture.openWithRun()
        let other = try await fixture.open()
        let start = try await ledger.changeToken()
        _ = try await ledger.events(of: "r-one")
        _ = try await other.events(of: "r-one")
        #expect(try await ledger.changeToken() == start)
        try await other.record([Fixture.request(.pause)])
        let afterForeign = try await ledger.changeToken()
        #expect(afterForeign != start)
        try await ledger.record([Fixture.request(.pause)])
        #expect(try await ledger.changeToken() != afterForeign)
    }
}

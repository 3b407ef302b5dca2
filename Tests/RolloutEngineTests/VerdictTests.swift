import Testing
import UpgradeDomain

@testable import RolloutEngine

/// The verdict on evidence is part of the record.
@Suite struct VerdictTests {
    private let wall = WallTime(clamping: 2_000_000)

    /// A run whose second placement failed its gate, event by event.
    private func failed() throws -> (log: [RecordedEvent], index: Int) {
        var harness = EngineHarness(Model.run([Model.layer("core")], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        harness.machines[Placement(host: "c2", layer: "core")]?.afterUpgrade = { $0.statuses["api"] = "down" }
        harness.run { $0.state.isHeld }
        let index = harness.log.lastIndex { event in
            if case .captured(let record) = event.event { record.verdict?.verdict.problem != nil } else { false }
        }
        return (harness.log, try #require(index))
    }

    @Test func aBuildWithOtherRulesReadsTheRecordedVerdict() throws {
        var (log, index) = try failed()
        guard case .captured(var record) = log[index].event else { throw Missing() }
        #expect(record.verdict?.rules == 1)
        // As written by a build whose rules let it pass.
        record.verdict = RecordedVerdict(rules: 99, .pass)
        log[index].event = .captured(record)
        let state = try #require(RolloutState.fold(Array(log[...index]), at: .zero))
        #expect(!state.isHeld && state.placements[Placement(host: "c2", layer: "core")]?.phase == .soaking)
    }

    @Test func aVerdictJudgesTheStateThatItIsAppendedTo() throws {
        let (log, index) = try failed()
        guard case .captured(var record) = log[index].event else { throw Missing() }
        record.verdict = nil
        let before = try #require(RolloutState.fold(Array(log[..<index]), at: .zero))
        let captured = RunEvent.captured(record)
        #expect(before.judged([captured], at: wall) == [log[index].event])
        // After a rollback request the capture is no longer awaited, whether in the same append or earlier.
        let rollback = RunEvent.requested(Request(action: .rollback(scope: .all, breakGlass: nil), by: "op"))
        #expect(before.judged([rollback, captured], at: wall) == [rollback, captured])
    }

    @Test func anEventThatDoesNotFitHoldsTheRunAndIsNotFollowed() {
        var harness = EngineHarness(Model.run([Model.layer("core")], hosts: [("c1", ["core"])]))
        harness.run { $0.state.stage == .baseline }
        let placement = Placement(host: "c1", layer: "core")
        harness.append(
            .operationIntended(
                OperationIntent(
                    id: "r-1.c1.core.redeploy.1", placement: placement, action: .step(name: "redeploy"), attempt: 1,
                    boundary: .batch(layer: "core", index: 0), planDigest: "sha256:p", epoch: 1)))
        #expect(harness.state.status == .held(.illegalMove))
        #expect(harness.state.placements[placement]?.phase == .waiting)
        // The operation may have reached the host, so it is settled.
        #expect(harness.state.openOperations == ["r-1.c1.core.redeploy.1"])
        // After a recheck, the run goes on to its end.
        harness.append(.operationTombstoned(id: "r-1.c1.core.redeploy.1"))
        harness.run()
        #expect(harness.state.isAtRest)
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    private struct Missing: Error {}
}

import RolloutEngine
import Testing
import UpgradeDomain

/// A run uses up its approvals with its first change, which must start before they expire.
struct ApprovalEndTests {
    private func run(until end: WallTime) -> EngineHarness {
        var definition = Model.run()
        for index in definition.approvals.indices { definition.approvals[index].until = end }
        return EngineHarness(definition)
    }

    private func intents(_ harness: EngineHarness) -> [RecordedEvent] {
        harness.log.filter { if case .operationIntended = $0.event { true } else { false } }
    }

    @Test func nothingIsChangedOnceAnApprovalHasEnded() {
        var harness = run(until: WallTime(clamping: 1))
        harness.run()
        #expect(harness.state.status == .held(.approvalEnded))
        #expect(intents(harness).isEmpty)
        #expect(harness.state.boundaryRecord?.options == [.cancel])
        #expect(harness.state.holdingFailure?.problem.detail.contains("the approval by own-data ended") == true)
    }

    @Test func aRunThatHasBegunToChangeGoesOnAfterwards() throws {
        var first = run(until: .beforeExpiry)
        first.run()
        let begun = try #require(intents(first).first).recordedAt
        var harness = run(until: begun)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(intents(harness).count == intents(first).count)
    }

    @Test func anApprovalIsUsedByTheFirstChangeAndGivenBackByARunThatChangedNothing() {
        var harness = EngineHarness(Model.run())
        harness.run { !$0.state.operations.isEmpty }
        #expect(harness.state.usesApprovals)
        var refused = EngineHarness(Model.run())
        refused.machines[Placement(host: "d1", layer: "data"), default: .init()].script = .ends(
            .guardrailRefused(guardrail: "g", code: 3))
        refused.run()
        #expect(refused.state.status == .held(.guardrailRefused))
        #expect(!refused.state.usesApprovals)
        // A change that was rolled back still counts as a change.
        harness.run()
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.state.status == .rolledBack(.verified))
        #expect(harness.state.usesApprovals)
    }

    /// A rerun would be the first change.
    @Test func aRerunIsNoWayAroundTheEndOfAnApproval() {
        var definition = Model.run()
        for index in definition.approvals.indices { definition.approvals[index].until = .beforeExpiry }
        var harness = EngineHarness(definition)
        harness.machines[Placement(host: "d1", layer: "data"), default: .init()].script =
            .ends(.guardrailRefused(guardrail: "g", code: 3))
        harness.run()
        #expect(harness.state.status == .held(.guardrailRefused))
        let rerun = Request(action: .rerun(host: "d1", signedOffBy: "own-data"), by: "op", reason: "mended")
        #expect(harness.state.refusal(of: rerun, at: harness.wall) == nil)
        let late = WallTime.beforeExpiry.advanced(bySeconds: 1)
        #expect(harness.state.refusal(of: rerun, at: late)?.message.contains("the approval by own-data ended") == true)
    }
}

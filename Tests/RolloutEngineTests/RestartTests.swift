import RolloutEngine
import Testing
import UpgradeDomain

/// Crashes, unknown outcomes and pauses change when things happen, never what happens.
struct RestartTests {
    @Test func aCrashAfterAnyEventEndsInTheSameRunAndNoScriptRunsTwice() {
        var whole = EngineHarness(Model.run())
        whole.run()
        for count in 1..<whole.log.count {
            var harness = EngineHarness(Model.run())
            harness.run { $0.log.count >= count }
            harness.crash(keeping: harness.log.count)
            harness.run()
            #expect(harness.state.status == .verified, "after event \(count)")
            #expect(harness.starts.values.allSatisfy { $0 == 1 }, "after event \(count)")
            #expect(harness.order.count == 6, "after event \(count)")
        }
    }

    @Test func foldingTheLogGivesTheLiveState() throws {
        var harness = EngineHarness(Model.run())
        harness.machines[Placement(host: "c2", layer: "core")]?.script = .ends(.exited(code: 1))
        harness.run()
        let once = try #require(RolloutState.fold(harness.log, at: .zero))
        let twice = try #require(RolloutState.fold(harness.log, at: .zero))
        #expect(once == twice)
        #expect(once.status == harness.state.status)
        #expect(once.failures == harness.state.failures)
        #expect(once.placements.all.mapValues(\.phase) == harness.state.placements.all.mapValues(\.phase))
    }

    @Test func aMessageThatNeverArrivedGetsATombstoneAndANewAttempt() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.machines[first]?.script = .neverArrives
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.d1.data.redeploy.1"] == nil)
        #expect(harness.starts["r-1.d1.data.redeploy.2"] == 1)
    }

    @Test func anOperationWithALostEndIsSettledAndNotRunAgain() {
        var harness = EngineHarness(Model.run())
        harness.machines[Placement(host: "d1", layer: "data")]?.script = .losesItsEnd
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.d1.data.redeploy.1"] == 1)
        #expect(harness.starts["r-1.d1.data.redeploy.2"] == nil)
    }

    @Test func aRestartProvesWhatWasDoneBeforeAnythingNewStarts() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.run { $0.state.placements[first]?.phase == .soaked }
        harness.machines[first]?.statuses["api"] = "down"
        harness.crash(keeping: harness.log.count)
        harness.run()
        #expect(harness.state.status == .held(.evidenceRegressed))
        #expect(harness.order == [first])
    }

    @Test func anOperationOfALostHostStaysUnsettledUntilItAnswers() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.machines[first]?.script = .losesItsEnd
        harness.machines[first]?.afterUpgrade = { $0.isReachable = false }
        harness.run()
        #expect(harness.state.status == .held(.operationUnsettled))
        #expect(harness.state.isAtRest)
        #expect(harness.state.openOperations == ["r-1.d1.data.redeploy.1"])
        #expect(harness.state.refusal(of: .resume) != nil)
        harness.machines[first]?.isReachable = true
        harness.request(.recheck(host: "d1"))
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.d1.data.redeploy.1"] == 1)
    }

    @Test func anUnsentIntentIsWithdrawnWhenItsBoundaryCloses() {
        let layer = Model.layer("core") {
            $0.maxInFlight = 2
            $0.batches = [.percent(100)]
        }
        var harness = EngineHarness(Model.run([layer], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        harness.run { $0.state.openOperations == ["r-1.c1.core.redeploy.1"] }
        harness.append(.hostLost(HostLoss(host: "c2", code: .hostUnreachable, detail: "gone")))
        harness.run()
        #expect(harness.state.openOperations.isEmpty)
        #expect(harness.order.isEmpty)
        #expect(harness.log.contains { if case .operationWithdrawn = $0.event { true } else { false } })
    }

    @Test func aPauseStartsNothingNewAndResumingRestartsTheSoak() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.run { $0.state.placements[first]?.phase == .soaking }
        harness.request(.pause)
        harness.run()
        #expect(harness.state.status == .paused)
        #expect(harness.order == [first])
        harness.request(.resume)
        #expect(harness.state.placements[first]?.phase == .warmingUp)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func anAbortEndsForwardWorkForGoodAndLeavesRollbackOpen() {
        var harness = EngineHarness(Model.run())
        harness.run { $0.order.count == 2 }
        harness.request(.abort)
        harness.run()
        #expect(harness.state.status == .aborted)
        #expect(harness.state.refusal(of: .resume) != nil)
        #expect(harness.state.refusal(of: .finalize) != nil, "what was changed may go back")
        #expect(harness.order.count == 2)
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.state.status == .rolledBack(.verified))
        #expect(harness.machines.values.allSatisfy { $0.version == "1" })
    }

    @Test func anAbortedRunThatChangedNothingIsFinalized() {
        var harness = EngineHarness(Model.run())
        harness.run { $0.state.stage != .preflight }
        harness.request(.abort)
        harness.run()
        #expect(harness.state.status == .aborted && harness.order.isEmpty)
        harness.request(.finalize)
        #expect(harness.state.status == .finalized)
    }

    @Test func progressThatStopsHoldsAndNamesWhatItWaitedFor() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.run { !$0.state.openOperations.isEmpty }
        for id in harness.state.openOperations { harness.dispatchSilently(id) }
        harness.now = harness.now + .seconds(601)
        harness.run { $0.state.isHeld }
        #expect(harness.state.holdingFailure?.problem.code == .progressDeadline)
        #expect(harness.state.holdingFailure?.placement == first)
    }
}

extension EngineHarness {
    /// Sends an intent and never reports on it.
    mutating func dispatchSilently(_ id: OperationID) {
        append(.operationStarted(id: id))
        followed.insert(id)
    }
}

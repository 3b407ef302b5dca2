import OperatorCommands
import RolloutEngine
import Testing
import UpgradeDomain

/// Tests what follows a failed boundary: repair, rerun or rollback, and only then a resume.
struct RecoveryTests {
    static let c2 = Placement(host: "c2", layer: "core")

    private func held(_ damage: (inout EngineHarness.Machine) -> Void) -> EngineHarness {
        var harness = EngineHarness(Model.run())
        damage(&harness.machines[RecoveryTests.c2, default: .init()])
        harness.run()
        return harness
    }

    @Test func aHostThatWentBackIsTriedAgainFirst() {
        var harness = held { $0.afterUpgrade = { $0.statuses["store"] = "down" } }
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .rolledBack(.verified))
        #expect(harness.machines[RecoveryTests.c2]?.version == "1")
        #expect(harness.state.refusal(of: .resume) == nil)
        harness.machines[RecoveryTests.c2]?.afterUpgrade = nil
        let before = harness.order.count
        harness.request(.resume)
        harness.run()
        #expect(harness.order[before] == RecoveryTests.c2)
        #expect(harness.state.status == .verified)
    }

    /// The step `rollback!` of an older build has the id that the rollback would get.
    @Test func aRollbackRunsAlthoughAStepHasItsID() {
        let step = Step(name: "rollback!", command: Model.command)
        var harness = EngineHarness(Model.run([Model.layer("core") { $0.steps = [step] }], hosts: [("c2", ["core"])]))
        harness.recordedID = { $0.action == .step(name: "rollback!") ? "r-1.c2.core.rollback!.1" : $0.id }
        harness.machines[RecoveryTests.c2, default: .init()].afterUpgrade = { $0.statuses["store"] = "down" }
        harness.run()
        #expect(harness.starts == ["r-1.c2.core.rollback!.1": 1])
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        #expect(harness.starts == ["r-1.c2.core.rollback!.1": 1, "r-1.c2.core.rollback!.2": 1])
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .rolledBack(.verified))
        #expect(harness.machines[RecoveryTests.c2]?.version == "1")
    }

    @Test func failuresKeepTheOutputOfTheFailedStepOrRollback() throws {
        let printed = (1...12).map { "line \($0)" }.joined(separator: "\n") + "\n\n"
        var harness = held {
            $0.script = .ends(.exited(code: 3))
            $0.prints = printed
        }
        let step = try #require(harness.state.holdingFailure)
        #expect(harness.state.output(of: step) == (3...12).map { "line \($0)" })
        harness.machines[RecoveryTests.c2]?.prints = "no better\n"
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.state.failures.count == 1)
        #expect(try harness.state.output(of: #require(harness.state.holdingFailure)) == ["no better"])
        harness.machines[RecoveryTests.c2]?.rollback = .ends(.guardrailRefused(guardrail: "g", code: 4))
        harness.machines[RecoveryTests.c2]?.prints = "no way back\r\n"
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        let rollback = try #require(harness.state.unresolvedFailures.last)
        #expect(rollback.problem.code == .guardrailRefused)
        #expect(harness.state.output(of: rollback) == ["no way back"])
        // A failure found by evidence has no output.
        let regressed = held { $0.afterUpgrade = { $0.statuses["store"] = "down" } }
        #expect(try regressed.state.output(of: #require(regressed.state.holdingFailure)).isEmpty)
    }

    @Test func aRepairIsProvedWithTheWholeFamily() {
        var harness = held { $0.afterUpgrade = { $0.statuses["store"] = "down" } }
        harness.request(.recheck(host: "c2"))
        harness.run()
        #expect(harness.state.refusal(of: .resume) != nil)
        harness.machines[RecoveryTests.c2]?.statuses["store"] = "up"
        harness.request(.recheck(host: "c2"))
        harness.run()
        #expect(harness.state.placements[RecoveryTests.c2]?.repairedByHand == true)
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == nil)
    }

    @Test func aRerunNeedsIdempotenceOrAnOwnersSignOff() {
        var harness = held { $0.script = .ends(.exited(code: 1)) }
        #expect(harness.state.refusal(of: .rerun(host: "c2", signedOffBy: nil)) != nil)
        #expect(harness.state.refusal(of: .rerun(host: "c2", signedOffBy: "own-data")) != nil)
        #expect(harness.state.refusal(of: .rerun(host: "c1", signedOffBy: "own-core")) != nil)
        harness.machines[RecoveryTests.c2]?.script = .passes
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == 1)
        #expect(harness.state.refusal(of: .resume) == nil)
        #expect(!harness.order.contains(Placement(host: "c3", layer: "core")))
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aRerunThatDoesNotFixTheHostKeepsTheRunHeld() {
        var harness = held { $0.script = .ends(.exited(code: 1)) }
        harness.machines[RecoveryTests.c2]?.script = .passes
        harness.machines[RecoveryTests.c2]?.afterUpgrade = { $0.statuses["api"] = "down" }
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.state.refusal(of: .resume) != nil)
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .failed)
    }

    @Test func aWiderWayThanTheNarrowestNeedsAReason() {
        let harness = held { $0.script = .ends(.exited(code: 1)) }
        func refusal(_ action: RequestedAction, _ reason: String?) -> RequestRefusal? {
            harness.state.refusal(of: Request(action: action, by: "op", reason: reason), at: .beforeExpiry)
        }
        #expect(harness.state.boundaryRecord?.options.first == .recheck(host: "c2"))
        #expect(refusal(.recheck(host: "c2"), nil) == nil)
        for scope in [RollbackScope.host(name: "c2"), .layer(name: "core"), .all] {
            #expect(refusal(.rollback(scope: scope, breakGlass: nil), nil) != nil)
            #expect(refusal(.rollback(scope: scope, breakGlass: nil), "") != nil)
            #expect(refusal(.rollback(scope: scope, breakGlass: nil), "the disk is gone") == nil)
        }
        #expect(refusal(.pause, nil) == harness.state.refusal(of: .pause))
    }

    @Test func aRollbackHasItsOwnGuardrailsAndOnlyAnOwnersBreakGlassBypassesThem() throws {
        let own = ScriptCommand(arguments: ["bash", "./before-rollback.sh"], timeoutSeconds: 5)
        var harness = EngineHarness(Model.run { $0.rollbackGuardrails = [own] })
        harness.machines[RecoveryTests.c2]?.script = .ends(.exited(code: 1))
        harness.machines[RecoveryTests.c2]?.rollback = .ends(.guardrailRefused(guardrail: "g", code: 2))
        harness.run()
        let forward = try #require(harness.state.operations.values.first { $0.intent.action != .rollback })
        #expect(harness.state.script(of: forward.intent)?.guardrails == [Model.command])
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .rolledBack(.refused))
        #expect(harness.state.placements[RecoveryTests.c2]?.problem?.code.failureClass == .refused)
        let refused = try #require(harness.state.operations.values.first { $0.intent.action == .rollback })
        #expect(harness.state.script(of: refused.intent)?.guardrails == [own])

        #expect(harness.state.refusal(of: .rollback(scope: .host(name: "c2"), breakGlass: "own-data")) != nil)
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: "own-core"))
        harness.run { $0.state.openOperations.contains("r-1.c2.core.rollback!.2") }
        let forced = try #require(harness.state.operations["r-1.c2.core.rollback!.2"])
        #expect(harness.state.script(of: forced.intent)?.guardrails == [])
    }

    @Test func aLowerLayerGoesBackAloneOnlyUnderLayersThatWorkWithItsOlderVersion() {
        func refusal(_ change: (inout PlanLayer) -> Void) -> RequestRefusal? {
            let layers = [Model.layer("data"), Model.layer("core", change: change)]
            var harness = EngineHarness(Model.run(layers, hosts: [("d1", ["data"]), ("c1", ["core"])]))
            harness.run()
            #expect(harness.state.refusal(of: .rollback(scope: .all, breakGlass: nil)) == nil)
            return harness.state.refusal(of: .rollback(scope: .host(name: "d1"), breakGlass: nil))
        }
        #expect(refusal { _ in }?.message.contains("its worksWith lacks data 1: it names no version of it") == true)
        #expect(refusal { $0.worksWith = ["data": ["2"]] } != nil)
        #expect(refusal { $0.worksWith = ["data": ["1", "2"]] } == nil)
    }

    /// What a request lacks at a time.
    private func refusal(
        _ state: RolloutState, _ action: RequestedAction, at wall: WallTime
    ) -> String? {
        state.refusal(of: Request(action: action, by: "op", reason: "test"), at: wall)?.message
    }

    @Test func theRunsApprovalCoversARollbackForATimeAndItsOwnersApproveItLater() throws {
        var harness = held { $0.afterUpgrade = { $0.statuses["store"] = "down" } }
        let host = RequestedAction.rollback(scope: .host(name: "c2"), breakGlass: nil)
        let layer = RequestedAction.rollback(scope: .layer(name: "core"), breakGlass: nil)
        let all = RequestedAction.rollback(scope: .all, breakGlass: nil)
        #expect(refusal(harness.state, all, at: .beforeExpiry) == nil)
        #expect(refusal(harness.state, all, at: .afterExpiry)?.contains("no owner of data, core") == true)
        #expect(
            refusal(harness.state, .rollback(scope: .host(name: "c2"), breakGlass: "own-core"), at: .afterExpiry) == nil
        )

        let approval = try #require(harness.state.recoveryApproval(of: host, by: "own-core"))
        #expect(approval.hosts == ["c2"])
        harness.request(.approveRecovery(approval))
        #expect(refusal(harness.state, host, at: .afterExpiry) == nil)
        // The approval is bound to its hosts and its action.
        #expect(refusal(harness.state, layer, at: .afterExpiry) != nil)
        #expect(refusal(harness.state, all, at: .afterExpiry) != nil)
        let rerun = RecoveryApproval(owner: "own-core", action: .rerun, boundary: harness.state.boundary, hosts: ["c1"])
        harness.request(.approveRecovery(rerun))
        #expect(refusal(harness.state, layer, at: .afterExpiry) != nil)
        // The approval is bound to its boundary: once the run has gone on, it has no effect.
        harness.request(host)
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.isHeld)
        #expect(refusal(harness.state, host, at: .afterExpiry) != nil)
    }

    @Test func onlyALayersOwnerApprovesItsRecoveryAtTheCurrentBoundary() {
        let harness = held { $0.afterUpgrade = { $0.statuses["store"] = "down" } }
        func refusal(_ owner: Owner, _ boundary: Boundary, _ hosts: [HostName]) -> RequestRefusal? {
            let approval = RecoveryApproval(owner: owner, action: .rollback, boundary: boundary, hosts: hosts)
            return harness.state.refusal(of: .approveRecovery(approval))
        }
        #expect(refusal("own-core", harness.state.boundary, ["c2"]) == nil)
        #expect(refusal("own-data", harness.state.boundary, ["c2"]) != nil)
        #expect(refusal("own-core", .end, ["c2"]) != nil)
        #expect(refusal("own-core", harness.state.boundary, ["nobody"]) != nil)
        #expect(refusal("own-core", harness.state.boundary, []) != nil)
    }

    @Test func anOwnerMayApproveARerunEvenIfItIsDeclaredIdempotent() throws {
        let layer = Model.layer("core") { $0.steps[0].idempotent = true }
        var harness = EngineHarness(Model.run([layer], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        harness.machines[RecoveryTests.c2]?.script = .ends(.exited(code: 1))
        harness.run()
        let rerun = RequestedAction.rerun(host: "c2", signedOffBy: nil)
        #expect(refusal(harness.state, rerun, at: .beforeExpiry)?.contains("no owner of core") == true)
        #expect(refusal(harness.state, .rerun(host: "c2", signedOffBy: "own-core"), at: .beforeExpiry) == nil)
        harness.request(.approveRecovery(try #require(harness.state.recoveryApproval(of: rerun, by: "own-core"))))
        #expect(refusal(harness.state, rerun, at: .beforeExpiry) == nil)
    }

    /// Two refusals one after the other would cost somebody two tries.
    @Test func aRecoveryThatNeedsAnOwnerAndAReasonSaysBothAtOnce() throws {
        let layer = Model.layer("core") { $0.steps[0].idempotent = true }
        var harness = EngineHarness(Model.run([layer], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        harness.machines[RecoveryTests.c2]?.script = .ends(.exited(code: 1))
        harness.run()
        let rerun = RequestedAction.rerun(host: "c2", signedOffBy: nil)
        func refused(_ reason: String) throws -> RequestRefusal {
            let request = Request(action: rerun, by: "op", reason: reason)
            return try #require(harness.state.refusal(of: request, at: .beforeExpiry))
        }
        let both = try refused("")
        #expect(both.message == "no owner of core has approved it")
        #expect(both.remedy.hasSuffix("a narrower option is open, so give a reason with --reason as well"))
        #expect(
            both.next
                == .rerun(host: "c2", run: "r-1", from: nil, approvedBy: ["own-core"], reason: .asked))
        #expect(try !refused("disk was full").remedy.contains("--reason"))
    }

    @Test func whatIsDeclaredOneWayIsSaidBeforeTheLayersThatStandAboveIt() {
        let layers = [Model.layer("data") { $0.rollback.boundary = .oneWay }, Model.layer("core")]
        var harness = EngineHarness(Model.run(layers, hosts: [("d1", ["data"]), ("c1", ["core"])]))
        harness.run()
        for scope in [RollbackScope.layer(name: "data"), .host(name: "d1"), .all] {
            let refusal = harness.state.refusal(of: .rollback(scope: scope, breakGlass: nil))
            #expect(refusal?.message == "layer data is declared one-way and has moved")
            #expect(refusal?.isForLayersAbove == false)
        }
    }

    @Test func evidenceOfTheFailureComesBeforeAnyRecovery() {
        var harness = EngineHarness(Model.run())
        harness.machines[RecoveryTests.c2]?.script = .ends(.exited(code: 1))
        harness.run { $0.state.isHeld }
        #expect(!harness.state.postFailurePending.isEmpty)
        for action: RequestedAction in [
            .recheck(host: "c2"), .rerun(host: "c2", signedOffBy: "own-core"), .rollback(scope: .all, breakGlass: nil),
        ] {
            #expect(refusal(harness.state, action, at: .beforeExpiry)?.contains("not recorded yet") == true)
        }
        harness.run()
        #expect(refusal(harness.state, .rollback(scope: .all, breakGlass: nil), at: .beforeExpiry) == nil)
    }

    @Test func aHostThatRefusesItsRollbackDoesNotBlockTheOthersOfItsLayer() {
        var harness = EngineHarness(Model.run())
        harness.machines[RecoveryTests.c2]?.rollback = .ends(.guardrailRefused(guardrail: "g", code: 2))
        harness.run()
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        for (host, outcome) in [("c1", RollbackOutcome.verified), ("c2", .refused), ("c3", .verified)] {
            let placement = Placement(host: HostName(host), layer: "core")
            #expect(harness.state.placements[placement]?.phase == .rolledBack(outcome))
        }
        // The next lower layer waits.
        #expect(harness.state.hostsAwaitingSignOff == ["c2"])
        #expect(harness.machines[Placement(host: "d1", layer: "data")]?.version == "2")
    }

    @Test func aWholeRollbackGoesTopLayerFirst() {
        var harness = EngineHarness(Model.run())
        harness.run()
        let forward = harness.order.count
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.state.status == .rolledBack(.verified))
        #expect(harness.order.dropFirst(forward).map(\.layer) == ["edge", "core", "core", "core", "data", "data"])
        #expect(harness.state.refusal(of: .finalize) == nil)
    }

    @Test func everyHostOfALayerIsAttemptedAndTheLowerLayerWaitsForASignOff() {
        var harness = EngineHarness(Model.run())
        harness.run()
        harness.machines[RecoveryTests.c2]?.rollback = .ends(.exited(code: 1))
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.machines[Placement(host: "c3", layer: "core")]?.version == "1")
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .rolledBack(.failed))
        #expect(harness.machines[Placement(host: "d1", layer: "data")]?.version == "2")
        #expect(harness.state.hostsAwaitingSignOff == ["c2"])
        #expect(harness.state.refusal(of: .signOff(hosts: ["c2"], owner: "own-edge")) != nil)
        harness.request(.signOff(hosts: ["c2"], owner: "own-core"))
        harness.run()
        #expect(harness.machines[Placement(host: "d1", layer: "data")]?.version == "1")
        #expect(harness.state.status == .rolledBack(.failed))
    }

    @Test func aRollbackThatLeavesADifferenceIsUnverified() {
        var harness = held { $0.afterUpgrade = { $0.materialization = 1 } }
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .rolledBack(.unverified))
        #expect(harness.state.refusal(of: .resume) != nil)
        harness.machines[RecoveryTests.c2]?.materialization = 0
        harness.request(.recheck(host: "c2"))
        harness.run()
        #expect(harness.state.placements[RecoveryTests.c2]?.phase == .rolledBack(.verified))
    }

    @Test func aHostInAllLayersGoesBackTopDown() {
        var harness = EngineHarness(Model.run(hosts: [("box", ["data", "core", "edge"])]))
        harness.run()
        #expect(harness.state.status == .verified)
        harness.request(.rollback(scope: .host(name: "box"), breakGlass: nil))
        harness.run()
        #expect(harness.order.suffix(3).map(\.layer) == ["edge", "core", "data"])
        #expect(harness.state.status == .rolledBack(.verified))
    }

    @Test func aOneWayLayerAndWhatIsBelowItDoNotGoBack() {
        let layers = [Model.layer("data"), Model.layer("core") { $0.rollback.boundary = .oneWay }, Model.layer("edge")]
        var harness = EngineHarness(Model.run(layers))
        harness.run()
        #expect(harness.state.refusal(of: .rollback(scope: .all, breakGlass: nil)) != nil)
        #expect(harness.state.refusal(of: .rollback(scope: .layer(name: "data"), breakGlass: nil)) != nil)
        #expect(harness.state.refusal(of: .rollback(scope: .layer(name: "edge"), breakGlass: nil)) == nil)
    }

    @Test func aLayerThatMayGoBackOnlyUntilTheNextMovesIsRefusedAfterwards() {
        let layers = [Model.layer("data") { $0.rollback.boundary = .untilNextLayer }, Model.layer("core")]
        var harness = EngineHarness(Model.run(layers, hosts: [("d1", ["data"]), ("c1", ["core"])]))
        harness.run {
            $0.order.count == 1 && $0.state.placements[Placement(host: "d1", layer: "data")]?.phase == .soaked
        }
        #expect(harness.state.refusal(of: .rollback(scope: .layer(name: "data"), breakGlass: nil)) == nil)
        harness.run()
        #expect(harness.state.refusal(of: .rollback(scope: .layer(name: "data"), breakGlass: nil)) != nil)
        #expect(harness.state.refusal(of: .rollback(scope: .all, breakGlass: nil)) == nil)
    }

    @Test func aRetiredHostLeavesTheRunVerifiedExcept() {
        var harness = held { $0.afterUpgrade = { $0.isReachable = false } }
        #expect(harness.state.refusal(of: .retire(host: "c2", owner: "own-data")) != nil)
        harness.request(.retire(host: "c2", owner: "own-core"))
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verifiedExcept(["c2"]))
    }

    @Test func aRunThatChangedNothingIsCancelled() {
        let layers = [Model.layer("core")]
        var harness = EngineHarness(Model.run(layers, hosts: [("c1", ["core"])]))
        harness.machines[Placement(host: "c1", layer: "core")]?.statuses["api"] = "down"
        harness.run()
        #expect(harness.state.status == .held(.baselineUnhealthy))
        #expect(harness.state.boundaryRecord?.options.last == .cancel)
        harness.request(.cancel)
        #expect(harness.state.status == .cancelled && harness.state.isClosed && harness.state.isAtRest)
        #expect(harness.state.refusal(of: .resume) != nil)

        // Once a step may have run there is something to roll back, even while it is unknown whether it ran.
        for script in [EngineHarness.Script.ends(.exited(code: 1)), .losesItsEnd, .neverArrives] {
            var changed = EngineHarness(Model.run(layers, hosts: [("c1", ["core"])]))
            changed.machines[Placement(host: "c1", layer: "core")]?.script = script
            changed.run { !$0.state.operations.isEmpty }
            #expect(changed.state.refusal(of: .cancel) != nil)
        }
        // A step that never ran changed nothing.
        var refused = EngineHarness(Model.run(layers, hosts: [("c1", ["core"])]))
        refused.machines[Placement(host: "c1", layer: "core")]?
            .script = .ends(.guardrailRefused(guardrail: "g", code: 3))
        refused.run()
        #expect(refused.state.refusal(of: .cancel) == nil)
        // A successor is responsible for the changes of the previous run, even before its first capture.
        let succession = Succession(
            predecessor: "r-0", baselines: [:], attempts: [Placement(host: "c1", layer: "core"): 1])
        var successor = EngineHarness(Model.run(layers, hosts: [("c1", ["core"])], succession: succession))
        successor.attach()
        #expect(successor.state.refusal(of: .cancel) != nil)
        successor.request(.abort)
        #expect(successor.state.refusal(of: .cancel) != nil && successor.state.refusal(of: .finalize) != nil)
    }

    @Test func onlyAVerifiedOrWhollyRolledBackRunIsFinalized() {
        var harness = held { $0.script = .ends(.exited(code: 1)) }
        #expect(harness.state.refusal(of: .finalize) != nil)
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        harness.request(.finalize)
        #expect(harness.state.status == .finalized)
        #expect(harness.state.refusal(of: .pause) != nil)
    }

    @Test func aSuccessorAdoptsWhatIsAtTheTargetAndChangesTheRest() {
        var first = held { $0.script = .ends(.exited(code: 1)) }
        first.request(.abort)
        let succession = Succession(
            predecessor: "r-0", baselines: first.state.baselines,
            attempts: first.state.placements.all.mapValues(\.attempt))
        var second = EngineHarness(Model.run(succession: succession))
        second.machines = first.machines
        second.machines[RecoveryTests.c2]?.script = .passes
        second.run()
        #expect(second.state.status == .verified)
        #expect(second.order.map(\.description) == ["c2/core", "c3/core", "e1/edge"])
        #expect(second.state.placements[Placement(host: "d1", layer: "data")]?.adopted == true)
        #expect(second.starts["r-1.c2.core.redeploy.2"] == 1)
    }
}

extension WallTime {
    static let beforeExpiry = WallTime(clamping: Model.rollbackUntil.milliseconds - 1)
    fileprivate static let afterExpiry = WallTime(clamping: Model.rollbackUntil.milliseconds + 1)
}

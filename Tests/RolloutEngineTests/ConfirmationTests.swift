import RolloutEngine
import Testing
import UpgradeDomain

/// Changes that a host reverts by itself unless it is reached again, and steps that reboot their host.
struct ConfirmationTests {
    static let c2 = Placement(host: "c2", layer: "core")

    private static func definition() -> RunDefinition {
        Model.run([
            Model.layer("data"), Model.layer("core") { $0.confirmWithinSeconds = 60 }, Model.layer("edge"),
        ])
    }

    private func intents(_ harness: EngineHarness) -> [OperationIntent] {
        harness.log.compactMap {
            guard case .operationIntended(let intent) = $0.event else { return nil }
            return intent
        }
    }

    @Test func everyStepOfTheLayerIsConfirmedBeforeAnythingFollowsIt() {
        var harness = EngineHarness(ConfirmationTests.definition())
        harness.run()
        #expect(harness.state.status == .verified)
        let asked = intents(harness).filter { $0.revert != nil }
        #expect(asked.map(\.placement.layer) == ["core", "core", "core"])
        for intent in asked {
            let confirmed = harness.log.firstIndex { $0.event == .operationConfirmed(id: intent.id) }
            let verified = harness.log.firstIndex {
                guard case .captured(let record) = $0.event else { return false }
                return record.purpose == .verification(attempt: 1)
                    && record.capture.subject == .placement(intent.placement)
            }
            #expect(confirmed != nil)
            #expect(verified.map { $0 > confirmed ?? .max } == true)
        }
    }

    @Test func aHostThatWentBackByItselfClosesItsBoundaryAndIsVerifiedLikeAnyOther() {
        var harness = EngineHarness(ConfirmationTests.definition())
        harness.machines[ConfirmationTests.c2]?.goesBack = .exited(code: 0)
        harness.run()
        #expect(harness.state.status == .held(.changeReverted))
        #expect(harness.state.placements[ConfirmationTests.c2]?.recorded == .source)
        #expect(!harness.order.contains { $0.host == "c3" || $0.host == "e1" })
        #expect(harness.state.boundaryRecord?.options.first == .rollback(scope: .host(name: "c2")))
        // The host's own report does not count as verified.
        #expect(harness.state.refusal(of: .resume) != nil)
        harness.machines[ConfirmationTests.c2]?.goesBack = nil
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[ConfirmationTests.c2]?.phase == .rolledBack(.verified))
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aFailedReversionLeavesTheHostBetweenVersions() {
        var harness = EngineHarness(ConfirmationTests.definition())
        harness.machines[ConfirmationTests.c2]?.goesBack = .exited(code: 3)
        harness.run()
        #expect(harness.state.status == .held(.changeReverted))
        #expect(harness.state.placements[ConfirmationTests.c2]?.recorded != .source)
        #expect(harness.state.holdingFailure?.problem.detail.contains("that failed: exited with 3") == true)
    }

    /// The host reverts the whole change, so a rerun repeats every step, with the sign-off that each one needs.
    @Test func aRevertedStepIsRunAgainWithAllOthers() {
        var harness = EngineHarness(
            Model.run(
                [
                    Model.layer("core") {
                        $0.steps = [
                            Step(name: "stage", command: Model.command, idempotent: true),
                            Step(name: "redeploy", command: Model.command),
                        ]
                        $0.confirmWithinSeconds = 60
                    }
                ], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        harness.machines[ConfirmationTests.c2]?.goesBack = .exited(code: 3)
        harness.run()
        #expect(harness.state.status == .held(.changeReverted))
        harness.machines[ConfirmationTests.c2]?.goesBack = nil
        #expect(
            harness.state.refusal(of: .rerun(host: "c2", signedOffBy: nil))?.message.contains("redeploy") == true)
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.starts["r-1.c2.core.stage.2"] == 1)
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == 1)
    }

    @Test func aFailedStepClosesItsBoundaryBeforeItIsConfirmed() {
        var harness = EngineHarness(ConfirmationTests.definition())
        harness.machines[ConfirmationTests.c2]?.script = .ends(.exited(code: 3))
        harness.run {
            $0.log.contains {
                if case .operationEnded(let record) = $0.event { record.outcome != .exited(code: 0) } else { false }
            }
        }
        #expect(harness.state.status == .held(.stepFailed))
        #expect(!harness.state.openOperations.isEmpty)
        harness.run()
        #expect(harness.state.openOperations.isEmpty)
        #expect(harness.state.status == .held(.stepFailed))
    }

    @Test func confirmationsGoOnWhileTheRunIsHeldOrPaused() {
        for hold in [RequestedAction.pause, .abort] {
            var harness = EngineHarness(ConfirmationTests.definition())
            harness.run { harness in
                harness.state.operations.values.contains {
                    if case .unconfirmed = $0.fate { true } else { false }
                }
            }
            harness.request(hold)
            harness.run()
            #expect(harness.state.openOperations.isEmpty, "\(hold)")
            #expect(harness.log.contains { if case .operationConfirmed = $0.event { true } else { false } })
        }
    }

    @Test func aHostThatIsLostUnconfirmedIsAskedAgainAfterwards() {
        var harness = EngineHarness(ConfirmationTests.definition())
        harness.run { harness in
            harness.state.operations.values.contains { if case .unconfirmed = $0.fate { true } else { false } }
        }
        harness.machines[Placement(host: "c1", layer: "core")]?.isReachable = false
        harness.run()
        #expect(harness.state.status == .held(.operationUnsettled))
        #expect(harness.state.holdingFailure?.problem.detail.contains("rolls back by itself 60 s") == true)
        #expect(harness.state.pendingReverts.map(\.placement.host) == ["c1"])
        harness.machines[Placement(host: "c1", layer: "core")]?.isReachable = true
        harness.machines[Placement(host: "c1", layer: "core")]?.goesBack = .exited(code: 0)
        harness.attach()
        harness.run()
        #expect(harness.state.openOperations.isEmpty)
        #expect(harness.state.pendingReverts.isEmpty)
        #expect(harness.state.status == .held(.changeReverted))
    }

    @Test(arguments: [nil, 120]) func onlyADeclaredRebootIsAcceptedAndVerified(_ seconds: Int?) {
        var harness = EngineHarness(
            Model.run([
                Model.layer("data"), Model.layer("core") { $0.steps[0].rebootWithinSeconds = seconds },
                Model.layer("edge"),
            ]))
        harness.machines[ConfirmationTests.c2]?.script = .ends(.rebooted)
        harness.run()
        if seconds == nil {
            #expect(harness.state.status == .held(.stepInterrupted))
        } else {
            // The model's script changed nothing, which only the evidence shows.
            #expect(harness.state.status == .held(.versionMismatch))
            harness.machines[ConfirmationTests.c2]?.version = "2"
            harness.machines[ConfirmationTests.c2]?.begunAt = Model.rollbackUntil
            harness.request(.recheck(host: "c2"))
            harness.run()
            harness.request(.resume)
            harness.run()
            #expect(harness.state.status == .verified)
        }
    }
}

import RolloutEngine
import Testing
import UpgradeDomain

/// Reruns of steps, starting with a named one, while the run is held.
struct RerunTests {
    static let c2 = Placement(host: "c2", layer: "core")

    /// A run in which two steps passed on c2 and the store is down afterwards.
    private func heldAfterTwoSteps(_ idempotent: [Bool] = [true, true]) -> EngineHarness {
        let steps = zip(["migrate", "redeploy"], idempotent).map { name, idempotent in
            Step(name: StepName(name), command: Model.command, idempotent: idempotent)
        }
        var harness = EngineHarness(
            Model.run([Model.layer("core") { $0.steps = steps }], hosts: ["c1", "c2", "c3"].map { ($0, ["core"]) }))
        harness.machines[RerunTests.c2, default: .init()].afterUpgrade = { $0.statuses["store"] = "down" }
        harness.run()
        return harness
    }

    @Test func aStepThatPassedRunsAgainWhereItsVerificationFailed() {
        var harness = heldAfterTwoSteps()
        #expect(
            harness.state.boundaryRecord?.options.contains(.rerun(host: "c2", steps: ["redeploy"], needsSignOff: false))
                == true)
        harness.machines[RerunTests.c2]?.afterUpgrade = { $0.statuses["store"] = "up" }
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == 1)
        #expect(!harness.starts.keys.contains { $0.rawValue.contains("migrate.2") })
        #expect(harness.state.failures.map(\.resolution) == [.rerunPassed])
        #expect(!harness.order.contains(Placement(host: "c3", layer: "core")))
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.c2.core.redeploy.3"] == nil)
    }

    @Test func everyStepFromTheNamedOneRunsAgainInOrderWhileTheRunIsHeld() {
        var harness = heldAfterTwoSteps()
        let before = harness.order.count
        harness.machines[RerunTests.c2]?.afterUpgrade = { $0.statuses["store"] = "up" }
        harness.request(.rerun(host: "c2", signedOffBy: nil, from: "migrate"))
        harness.run()
        #expect(harness.order[before...] == [RerunTests.c2, RerunTests.c2])
        #expect(harness.starts["r-1.c2.core.migrate.2"] == 1)
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == 1)
        #expect(harness.state.refusal(of: .resume) == nil)
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aRerunThatFailsStopsAtThatStepAndCanBeTriedAgain() {
        var harness = heldAfterTwoSteps()
        harness.machines[RerunTests.c2]?.script = .ends(.exited(code: 7))
        harness.request(.rerun(host: "c2", signedOffBy: nil, from: "migrate"))
        harness.run()
        #expect(harness.state.placements[RerunTests.c2]?.phase == .failed)
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == nil)
        #expect(harness.state.refusal(of: .resume) != nil)
        harness.machines[RerunTests.c2]?.script = .passes
        harness.machines[RerunTests.c2]?.afterUpgrade = { $0.statuses["store"] = "up" }
        // A step that has not passed cannot be skipped.
        let skipping = harness.state.refusal(of: .rerun(host: "c2", signedOffBy: nil, from: "redeploy"))
        #expect(skipping?.message.contains("step migrate of c2/core has not passed") == true)
        harness.request(.rerun(host: "c2", signedOffBy: nil, from: "migrate"))
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    /// The suggestion, the request and the rerun start at the same step, even if the previous rerun never began.
    @Test func aRerunThatWasRefusedAsksForTheSameStepsAgain() {
        var harness = heldAfterTwoSteps([false, true])
        harness.machines[RerunTests.c2]?.script = .ends(.guardrailRefused(guardrail: "./g.sh", code: 1))
        harness.request(.rerun(host: "c2", signedOffBy: "own-core", from: "migrate"))
        harness.run()
        harness.machines[RerunTests.c2]?.script = .passes
        #expect(
            harness.state.boundaryRecord?.options.contains(
                .rerun(host: "c2", steps: ["migrate", "redeploy"], needsSignOff: true))
                == true)
        #expect(harness.state.refusal(of: .rerun(host: "c2", signedOffBy: nil)) != nil)
        let before = harness.starts.count
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.starts.count == before + 2 && harness.starts["r-1.c2.core.migrate.3"] == 1)
        #expect(harness.starts["r-1.c2.core.redeploy.3"] == 1)
    }

    /// A failed step runs again before the run goes on, even if a rerun from an earlier step got no further than the
    /// failed one, and it needs the same sign-off as any other step.
    @Test func aRerunThatBeganBeforeTheFailedStepDoesNotEndBeforeIt() {
        var harness = heldAfterTwoSteps([true, false])
        harness.machines[RerunTests.c2]?.script = .ends(.exited(code: 7))
        harness.request(.rerun(host: "c2", signedOffBy: "own-core", from: "migrate"))
        harness.run()
        harness.machines[RerunTests.c2]?.script = .passes
        let refusal = harness.state.refusal(of: .rerun(host: "c2", signedOffBy: nil))
        #expect(refusal?.message.contains("step redeploy is not declared idempotent") == true)
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        #expect(harness.starts["r-1.c2.core.migrate.3"] == 1)
        #expect(harness.starts["r-1.c2.core.redeploy.3"] == 1)
    }

    @Test func aRerunOfSeveralStepsIsAllowedAsItsStrictestOne() {
        let harness = heldAfterTwoSteps([false, true])
        func refusal(_ owner: Owner?, _ step: StepName?) -> String? {
            harness.state.refusal(of: .rerun(host: "c2", signedOffBy: owner, from: step))?.message
        }
        #expect(refusal(nil, nil) == nil)
        #expect(refusal(nil, "redeploy") == nil)
        #expect(refusal(nil, "migrate")?.contains("step migrate is not declared idempotent") == true)
        #expect(refusal("own-core", "migrate") == nil)
        #expect(refusal("own-data", "migrate") != nil)
        #expect(refusal("own-core", "backup")?.contains("has no step backup") == true)
        #expect(harness.state.refusal(of: .rerun(host: "c1", signedOffBy: "own-core", from: "migrate")) != nil)
        // An owner's approval covers only the steps that it names.
        let whole = RequestedAction.rerun(host: "c2", signedOffBy: nil, from: "redeploy")
        var agreed = harness
        agreed.request(.approveRecovery(agreed.state.recoveryApproval(of: whole, by: "own-core")!))
        #expect(agreed.state.layersWithoutApproval(for: whole, at: .beforeExpiry).isEmpty)
        let last = RequestedAction.rerun(host: "c2", signedOffBy: nil)
        #expect(agreed.state.layersWithoutApproval(for: last, at: .beforeExpiry) == ["core"])
    }

    @Test func anotherChangeEndsTheRepairedMarkOfAPlacement() {
        for action in [
            RequestedAction.rerun(host: "c2", signedOffBy: "own-core"),
            .rollback(scope: .host(name: "c2"), breakGlass: nil),
        ] {
            var harness = heldAfterTwoSteps()
            harness.machines[RerunTests.c2]?.statuses["store"] = "up"
            harness.request(.recheck(host: "c2"))
            harness.run()
            #expect(harness.state.placements[RerunTests.c2]?.repairedByHand == true)
            // The store is down again during the soak.
            harness.machines[RerunTests.c2]?.statuses["store"] = "down"
            harness.request(.resume)
            harness.run()
            #expect(harness.state.placements[RerunTests.c2]?.phase == .failed)
            harness.machines[RerunTests.c2]?.afterUpgrade = { $0.statuses["store"] = "up" }
            harness.request(action)
            harness.run()
            #expect(harness.state.placements[RerunTests.c2]?.repairedByHand == false)
        }
    }
}

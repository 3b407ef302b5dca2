import RolloutEngine
import Testing
import UpgradeDomain

/// Facts and requests that cross: a capture ordered before a request decides nothing that was requested later.
struct LateFactsTests {
    static let c1 = Placement(host: "c1", layer: "core")
    static let c2 = Placement(host: "c2", layer: "core")
    static let fleetSurface = Surface(
        name: "queue", scope: .fleet(vantage: "d1"),
        source: .http(HTTPSource(url: "${baseURL}/q", timeoutSeconds: 1)), reader: Reader(shape: .statusMap))

    private func effects(_ harness: EngineHarness) -> [Effect] { harness.next.effects }

    @Test func aBoundaryCaptureThatArrivesAfterARollbackWasAskedForDecidesNothing() throws {
        var harness = EngineHarness(Model.run())
        harness.run { $0.state.boundary == .layer("core") }
        harness.machines[LateFactsTests.c1]?.statuses["api"] = "down"
        let capture = try #require(
            effects(harness).first { effect in
                if case .capture(let order) = effect { order.subject == .placement(LateFactsTests.c1) } else { false }
            })
        let late = harness.perform(capture)
        harness.request(.rollback(scope: .all, breakGlass: nil))
        for event in late { harness.append(event) }
        #expect(harness.state.placements[LateFactsTests.c1]?.phase == .rollbackPending)
        harness.run()
        #expect(harness.state.status == .rolledBack(.verified))
    }

    @Test func aSampleThatWasOrderedBeforeAPauseDoesNotCountForTheSoakAfterIt() throws {
        var harness = EngineHarness(Model.run())
        let d1 = Placement(host: "d1", layer: "data")
        harness.run { $0.state.placements[d1]?.phase == .warmingUp }
        let old = harness.perform(try #require(effects(harness).first))
        harness.request(.pause)
        harness.request(.resume)
        let since = harness.state.placements[d1]?.phase
        harness.crash(keeping: harness.log.count)
        harness.run { $0.state.placements[d1]?.phase == .soaking }
        harness.request(.pause)
        harness.request(.resume)
        #expect(since == .warmingUp)
        for event in old { harness.append(event) }
        #expect(harness.state.placements[d1]?.phase == .warmingUp)
    }

    @Test func aRecheckWaitsForTheOperationThatIsStillOpen() {
        var harness = EngineHarness(Model.run())
        harness.machines[LateFactsTests.c1]?.script = .losesItsEnd
        harness.machines[LateFactsTests.c1]?.afterUpgrade = { $0.isReachable = false }
        harness.run()
        harness.request(.rollback(scope: .host(name: "c1"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[LateFactsTests.c1]?.phase == .rolledBack(.failed))
        harness.machines[LateFactsTests.c1]?.isReachable = true
        harness.request(.recheck(host: "c1"))
        harness.attach()
        let captures = effects(harness).filter { if case .capture = $0 { true } else { false } }
        #expect(
            captures.isEmpty, "evidence was ordered while \(harness.state.openOperations) may still change the host")
        harness.run()
        #expect(harness.state.openOperations.isEmpty)
        #expect(harness.state.placements[LateFactsTests.c1]?.phase == .rolledBack(.failed))
    }

    @Test func aWholeRollbackIsProvedWithTheFleetsEvidenceAsWell() {
        var harness = EngineHarness(Model.run { $0.evidence.append(LateFactsTests.fleetSurface) })
        harness.run()
        harness.fleet.statuses["api"] = "down"
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.state.status == .rolledBack(.unverified))
        #expect(harness.state.refusal(of: .finalize) != nil)
        harness.fleet.statuses["api"] = "up"
        var again = EngineHarness(Model.run { $0.evidence.append(LateFactsTests.fleetSurface) })
        again.run()
        again.request(.rollback(scope: .all, breakGlass: nil))
        again.run()
        #expect(again.state.status == .rolledBack(.verified))
        #expect(Set(again.captures(.rollbackProof)).contains(.fleet))
        #expect(again.captures(.rollbackProof).count == again.state.orderedPlacements.count + 1)
    }

    @Test func aProcessThatTheChangeDoesNotReplaceMayBeOlderThanIt() {
        let layer = Model.layer("core") { $0.components[0].runtime?.restarts = false }
        var harness = EngineHarness(Model.run([layer], hosts: [("c1", ["core"])]))
        harness.machines[LateFactsTests.c1]?.keepsProcess = true
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aRollbackMayKeepAProcessThatTheChangeNeverReached() {
        var harness = EngineHarness(Model.run())
        harness.machines[LateFactsTests.c1]?.script = .ends(.exited(code: 1))
        harness.machines[LateFactsTests.c1]?.keepsProcess = true
        harness.run()
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.state.status == .rolledBack(.verified))
    }

    @Test func aFleetThatDoesNotRunWhatWasApprovedHasNoBaseline() {
        var harness = EngineHarness(Model.run())
        harness.machines[LateFactsTests.c1]?.manifest = "sha256:other"
        harness.run()
        #expect(harness.state.status == .held(.runtimeMismatch))
        #expect(harness.state.boundary == .baseline)
        #expect(harness.order.isEmpty)
    }

    @Test func aRetiredHostThatWasChangedKeepsARollbackFromBeingVerified() {
        var harness = EngineHarness(Model.run())
        harness.run()
        harness.request(.retire(host: "c2", owner: "own-core"))
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        #expect(harness.state.status == .rolledBack(.unverified))
    }

    @Test func anOperationOfUnknownFateCountsForTheOneWayBoundary() {
        let layers = [Model.layer("data"), Model.layer("core") { $0.rollback.boundary = .oneWay }, Model.layer("edge")]
        var harness = EngineHarness(Model.run(layers))
        harness.run {
            $0.order.last?.layer == "data" && $0.state.openOperations.contains { $0.rawValue.contains("core") }
        }
        #expect(harness.state.placements[LateFactsTests.c1]?.touched == false)
        #expect(harness.state.refusal(of: .rollback(scope: .all, breakGlass: nil)) != nil)
        #expect(harness.state.refusal(of: .rollback(scope: .layer(name: "data"), breakGlass: nil)) != nil)
    }

    @Test func anAbortKeepsARecordedRerunFromBeingSent() {
        var harness = EngineHarness(Model.run())
        harness.machines[LateFactsTests.c1]?.script = .ends(.exited(code: 1))
        harness.run()
        harness.machines[LateFactsTests.c1]?.script = .passes
        harness.request(.rerun(host: "c1", signedOffBy: "own-core"))
        harness.run { !$0.state.openOperations.isEmpty }
        let starts = harness.order.count
        harness.request(.abort)
        harness.run()
        #expect(harness.order.count == starts)
        #expect(harness.state.openOperations.isEmpty)
    }

    @Test func aDeadHostsOperationDoesNotKeepASuccessorFromTakingOver() {
        var harness = EngineHarness(Model.run())
        harness.machines[LateFactsTests.c2]?.script = .losesItsEnd
        harness.machines[LateFactsTests.c2]?.afterUpgrade = { $0.isReachable = false }
        harness.run()
        #expect(harness.state.refusal(of: .supersede(by: "r-2")) != nil)
        harness.request(.retire(host: "c2", owner: "own-core"))
        #expect(harness.state.refusal(of: .supersede(by: "r-2")) == nil)
    }

    @Test func aHostsRerunGoesOnAfterAnothersRollback() throws {
        let layer = Model.layer("core") {
            $0.maxInFlight = 2
            $0.batches = [.percent(100)]
        }
        var harness = EngineHarness(Model.run([layer], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        for placement in [LateFactsTests.c1, LateFactsTests.c2] {
            harness.machines[placement]?.script = .ends(.exited(code: 1))
        }
        harness.attach()
        // Both intents are recorded before either is sent.
        while harness.state.openOperations.count < 2 {
            let ready = try #require(effects(harness).first { if case .start = $0 { false } else { true } })
            harness.carryOut(ready)
        }
        let sent = effects(harness).compactMap { effect in
            if case .start = effect { harness.perform(effect) } else { [RunEvent]() }
        }
        for event in sent.joined() { harness.append(event) }
        harness.run()
        harness.request(.rollback(scope: .host(name: "c1"), breakGlass: nil))
        harness.run()
        for placement in [LateFactsTests.c1, LateFactsTests.c2] { harness.machines[placement]?.script = .passes }
        harness.request(.rerun(host: "c2", signedOffBy: "own-core"))
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.c2.core.redeploy.2"] == 1)
    }

    @Test func aRefusingGuardrailLeavesTheHostUntouchedAndAllowsANewAttempt() {
        var harness = EngineHarness(Model.run())
        harness.machines[LateFactsTests.c1]?.script = .ends(.guardrailRefused(guardrail: "g", code: 3))
        harness.run()
        #expect(harness.state.status == .held(.guardrailRefused))
        #expect(harness.state.placements[LateFactsTests.c1]?.touched == false)
        #expect(harness.state.refusal(of: .rollback(scope: .host(name: "c1"), breakGlass: nil)) != nil)
        harness.machines[LateFactsTests.c1]?.script = .passes
        harness.request(.recheck(host: "c1"))
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.starts["r-1.c1.core.redeploy.2"] == 1)
    }

    @Test func aChangeByOneLayerOfAHostIsExpectedInItsOtherLayers() {
        let layers = [
            Model.layer("data") { $0.expects = [ItemReference(surface: "services", item: "store")] },
            Model.layer("core"), Model.layer("edge"),
        ]
        var harness = EngineHarness(Model.run(layers, hosts: [("box", ["data", "core", "edge"])]))
        let data = Placement(host: "box", layer: "data")
        // Every layer of the host sees the same services.
        harness.machines[data]?.afterUpgrade = { $0.statuses["store"] = "ready" }
        harness.run { $0.state.placements[data]?.phase == .warmingUp }
        for placement in harness.machines.keys { harness.machines[placement]?.statuses["store"] = "ready" }
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aSignOffCoversWhatItsLayerLeftUnverifiedAndNothingElse() {
        var harness = EngineHarness(Model.run(hosts: [("box", ["data", "core", "edge"])]))
        harness.run()
        let (edge, core) = (Placement(host: "box", layer: "edge"), Placement(host: "box", layer: "core"))
        for placement in [edge, core] { harness.machines[placement]?.rollback = .ends(.exited(code: 1)) }
        harness.request(.rollback(scope: .all, breakGlass: nil))
        harness.run()
        harness.request(.signOff(hosts: ["box"], owner: "own-edge"))
        harness.run()
        #expect(harness.state.placements[core]?.phase == .rolledBack(.failed))
        #expect(harness.machines[Placement(host: "box", layer: "data")]?.version == "2")
        #expect(harness.state.hostsAwaitingSignOff == ["box"])
        #expect(harness.state.refusal(of: .signOff(hosts: ["box"], owner: "own-edge")) != nil)
    }

    @Test func aRecheckClearsAHostOnlyWhenAllItsLayersPass() {
        var harness = EngineHarness(Model.run(hosts: [("box", ["data", "core", "edge"])]))
        harness.run { $0.state.boundary == .end }
        for placement in harness.machines.keys { harness.machines[placement]?.isReachable = false }
        harness.run()
        #expect(harness.state.status == .held(.hostUnreachable))
        for placement in harness.machines.keys { harness.machines[placement]?.isReachable = true }
        for layer in ["data", "core", "edge"] as [LayerName] {
            var one = harness
            one.machines[Placement(host: "box", layer: layer)]?.statuses["api"] = "down"
            one.request(.recheck(host: "box"))
            one.run()
            #expect(one.state.refusal(of: .resume) != nil, "cleared although \(layer) did not pass")
        }
        harness.request(.recheck(host: "box"))
        harness.run()
        #expect(harness.state.refusal(of: .resume) == nil)
    }

    @Test func aVantageHostLostDuringTheBaselineHoldsTheRun() {
        var harness = EngineHarness(Model.run { $0.evidence.append(LateFactsTests.fleetSurface) })
        harness.run { $0.state.boundary == .baseline }
        harness.machines[Placement(host: "d1", layer: "data")]?.isReachable = false
        harness.run()
        #expect(harness.state.isAtRest)
        #expect(harness.state.status == .held(.hostUnreachable))
        #expect(harness.log.count < 50)
    }

    @Test func noHostThatOthersDependOnIsRetired() {
        let layers = [
            Model.layer("data"),
            Model.layer("core") {
                $0.steps = [
                    Step(name: "migrate", command: Model.command, once: true),
                    Step(name: "redeploy", command: Model.command),
                ]
            },
        ]
        let harness = EngineHarness(
            Model.run(layers, hosts: [("d1", ["data"]), ("c1", ["core"]), ("c2", ["core"])]) {
                $0.evidence.append(LateFactsTests.fleetSurface)
            })
        #expect(harness.state.refusal(of: .retire(host: "d1", owner: "own-data")) != nil)
        #expect(harness.state.refusal(of: .retire(host: "c1", owner: "own-core")) != nil)
        #expect(harness.state.refusal(of: .retire(host: "c2", owner: "own-core")) == nil)
    }
}

import RolloutEngine
import Testing
import UpgradeDomain

/// The order is kept, and nothing continues past a failed boundary.
struct SequenceTests {
    @Test func aHealthyFleetIsVerifiedLayerByLayer() {
        var harness = EngineHarness(Model.run())
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.order.map(\.description) == ["d1/data", "d2/data", "c1/core", "c2/core", "c3/core", "e1/edge"])
        #expect(harness.starts.values.allSatisfy { $0 == 1 })
        #expect(harness.machines.values.allSatisfy { $0.version == "2" })
        #expect(harness.widest == 1)
    }

    @Test(arguments: [1, 2, 3])
    func neverMoreThanMaxInFlightAreChanging(_ limit: Int) {
        let layer = Model.layer("core") {
            $0.maxInFlight = limit
            $0.batches = [.percent(100)]
        }
        var harness = EngineHarness(Model.run([layer], hosts: (1...5).map { (HostName("c\($0)"), ["core"]) }))
        harness.attach()
        // Record every intent that the engine offers before any is carried out.
        for _ in 0..<200 {
            let changing = harness.state.placements.all.values.filter {
                [.checked, .changing, .warmingUp].contains($0.phase)
            }
            #expect(changing.count <= limit)
            if harness.state.isAtRest { break }
            var steps = 0
            harness.run { _ in
                steps += 1
                return steps > 1
            }
        }
        #expect(harness.state.status == .verified)
    }

    /// Faults on c2 and the hold that each must lead to.
    static let faults: [(String, HoldCode, @Sendable (inout EngineHarness.Machine) -> Void)] = [
        ("exit 3", .stepFailed, { $0.script = .ends(.exited(code: 3)) }),
        ("signal", .stepFailed, { $0.script = .ends(.signaled(signal: 9)) }),
        ("timeout", .stepTimedOut, { $0.script = .ends(.timedOut(survivors: false)) }),
        ("survivors", .hostBlocked, { $0.script = .ends(.timedOut(survivors: true)) }),
        ("interrupted", .stepInterrupted, { $0.script = .ends(.interrupted(detail: "reboot")) }),
        ("guardrail", .guardrailRefused, { $0.script = .ends(.guardrailRefused(guardrail: "g", code: 2)) }),
        ("not started", .operationRefused, { $0.script = .ends(.notStarted(detail: "busy")) }),
        ("old process", .versionMismatch, { $0.afterUpgrade = { $0.version = "1" } }),
        ("another build", .runtimeMismatch, { $0.afterUpgrade = { $0.manifest = "sha256:other" } }),
        ("process kept", .runtimeMismatch, { $0.keepsProcess = true }),
        ("library replaced", .runtimeMismatch, { $0.afterUpgrade = { $0.says(.mappings, "libc", .unhealthy) } }),
        ("process hidden", .evidenceUnknown, { $0.afterUpgrade = { $0.says(.process, "EACCES", .unknown) } }),
        ("no time", .evidenceUnknown, { $0.afterUpgrade = { $0.says(.started, "long ago", .healthy) } }),
        ("link left out", .evidenceUnknown, { $0.afterUpgrade = { $0.links[.port(1)] = .some(nil) } }),
        ("no proof", .evidenceUnknown, { $0.afterUpgrade = { $0.emptyRole = .runtime } }),
        ("regressed", .evidenceRegressed, { $0.afterUpgrade = { $0.statuses["store"] = "down" } }),
        ("missing", .evidenceMissing, { $0.afterUpgrade = { $0.statuses["store"] = nil } }),
        ("unknown", .evidenceUnknown, { $0.afterUpgrade = { $0.unknown = UnknownReason(.unparsable, "not JSON") } }),
        ("stale", .evidenceStale, { $0.afterUpgrade = { $0.unknown = UnknownReason(.stale, "an hour old") } }),
        ("materialization", .materializationFailed, { $0.afterUpgrade = { $0.materialization = 1 } }),
        ("path", .pathFailed, { $0.afterUpgrade = { $0.path = 500 } }),
        ("instrument", .instrumentChanged, { $0.afterUpgrade = { $0.instrument = "sha256:bb" } }),
        ("no surface", .evidenceUnknown, { $0.afterUpgrade = { $0.isMute = true } }),
        ("no version", .evidenceUnknown, { $0.afterUpgrade = { $0.emptyRole = .version } }),
        ("no check", .evidenceUnknown, { $0.afterUpgrade = { $0.emptyRole = .materialization } }),
        ("no items", .evidenceMissing, { $0.afterUpgrade = { $0.emptyRole = .family } }),
        ("no path", .pathFailed, { $0.afterUpgrade = { $0.emptyRole = .path } }),
        ("lost", .hostUnreachable, { $0.afterUpgrade = { $0.isReachable = false } }),
    ]

    @Test(arguments: faults.indices)
    func aFaultClosesItsBoundaryAndNothingLaterStarts(_ index: Int) throws {
        let (name, code, damage) = SequenceTests.faults[index]
        var harness = EngineHarness(Model.run())
        let faulty: Placement = Placement(host: "c2", layer: "core")
        damage(&harness.machines[faulty, default: .init()])
        harness.run()
        #expect(harness.state.status == .held(code), "\(name)")
        let failure = try #require(harness.state.holdingFailure)
        #expect(failure.placement == faulty)
        #expect(failure.boundary == .batch(layer: "core", index: 1))
        #expect(!harness.order.contains(Placement(host: "c3", layer: "core")))
        #expect(!harness.order.contains(Placement(host: "e1", layer: "edge")))
        #expect(harness.state.openOperations.isEmpty)
        // Every reachable host was captured once more before a decision.
        #expect(harness.captures(.postFailure).contains(.placement(faulty)) == (code != .hostUnreachable), "\(name)")
        let record = try #require(harness.state.boundaryRecord)
        #expect(record.completed == .batch(layer: "core", index: 0))
        #expect(harness.state.refusal(of: .resume) != nil)
        // Neither a flag nor more driving gets past it.
        let starts = harness.order.count
        harness.attach()
        harness.run()
        #expect(harness.order.count == starts)
    }

    @Test func everyUnhealthyHostIsReportedBeforePreflightHolds() {
        var harness = EngineHarness(Model.run())
        harness.machines[Placement(host: "d1", layer: "data")]?.isReachable = false
        harness.machines[Placement(host: "e1", layer: "edge")]?.isReachable = false
        harness.run()
        #expect(harness.state.status == .held(.hostUnreachable))
        #expect(Set(harness.state.failures.compactMap(\.host)) == ["d1", "e1"])
        #expect(harness.order.isEmpty)
        for placement in harness.machines.keys { harness.machines[placement]?.isReachable = true }
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test(arguments: [SurfaceRole.version, .materialization, .family, .path, nil])
    func anEmptyBaselineIsNotAccepted(_ role: SurfaceRole?) {
        var harness = EngineHarness(Model.run())
        harness.machines[Placement(host: "c1", layer: "core"), default: .init()].emptyRole = role
        harness.machines[Placement(host: "c1", layer: "core"), default: .init()].isMute = role == nil
        harness.run()
        #expect(harness.state.boundary == .baseline)
        #expect(harness.state.isHeld)
        #expect(harness.order.isEmpty)
    }

    @Test func contradictoryItemsAreNotTrusted() {
        let pair = Agreement(
            ItemReference(surface: "services", item: "api"), ItemReference(surface: "services", item: "store"))
        var harness = EngineHarness(Model.run { $0.agreements = [pair] })
        harness.machines[RecoveryTests.c2, default: .init()].afterUpgrade = { $0.statuses["store"] = "down" }
        harness.run()
        #expect(harness.state.status == .held(.evidenceContradictory))
        var agreeing = EngineHarness(Model.run { $0.agreements = [pair] })
        agreeing.run()
        #expect(agreeing.state.status == .verified)
    }

    @Test func oneMachineUnderTwoNamesHoldsTheRun() {
        var harness = EngineHarness(Model.run())
        harness.machines[Placement(host: "c1", layer: "core")]?.agent = "twin"
        harness.machines[Placement(host: "c2", layer: "core")]?.agent = "twin"
        harness.run()
        #expect(harness.state.status == .held(.machineDuplicated))
    }

    @Test func aSourceVersionThatIsNotThePlansHoldsBeforeAnyChange() {
        var harness = EngineHarness(Model.run())
        harness.machines[Placement(host: "c1", layer: "core")]?.version = "0"
        harness.run()
        #expect(harness.state.status == .held(.sourceVersionMismatch))
        #expect(harness.order.isEmpty)
    }

    @Test func driftSinceTheLastAcceptedCaptureHoldsBeforeTheChange() {
        var harness = EngineHarness(Model.run())
        harness.run { $0.order.count == 2 }
        harness.machines[Placement(host: "c1", layer: "core")]?.statuses["store"] = "down"
        harness.run()
        #expect(harness.state.status == .held(.baselineDrift))
        #expect(!harness.order.contains(Placement(host: "c1", layer: "core")))
    }

    @Test func aRegressionDuringTheSoakFailsAtOnce() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.run { $0.state.placements[first]?.phase == .soaking }
        harness.machines[first]?.statuses["api"] = "down"
        harness.run()
        #expect(harness.state.status == .held(.evidenceRegressed))
        #expect(harness.order == [first])
    }

    @Test func theLayerBoundaryProvesEveryTouchedHostAgain() {
        var harness = EngineHarness(Model.run())
        let first = Placement(host: "d1", layer: "data")
        harness.run { $0.order.count == 2 }
        harness.machines[first]?.statuses["api"] = "down"
        harness.run()
        #expect(harness.state.holdingFailure?.boundary == .layer("data"))
        #expect(harness.order.count == 2)
    }

    @Test func anEarlierFaultNeedsAnUnexpiredWaiver() {
        func harness(expires: Int64?) -> EngineHarness {
            var harness = EngineHarness(
                Model.run { plan in
                    guard let expires else { return }
                    plan.waivers = [
                        Waiver(
                            surface: "services", item: "store", owner: "o", reason: "r", expiresAtMilliseconds: expires)
                    ]
                })
            for placement in harness.machines.keys { harness.machines[placement]?.statuses["store"] = "down" }
            harness.run()
            return harness
        }
        #expect(harness(expires: nil).state.status == .held(.baselineUnhealthy))
        #expect(harness(expires: 1).state.status == .held(.baselineUnhealthy))
        #expect(harness(expires: .max).state.status == .verified)
    }

    @Test func stepsRunInOrderAndAOnceStepOnTheFirstHostOnly() {
        let layer = Model.layer("core") {
            $0.steps = [
                Step(name: "migrate", command: Model.command, once: true),
                Step(name: "redeploy", command: Model.command),
            ]
        }
        var harness = EngineHarness(Model.run([layer], hosts: [("c1", ["core"]), ("c2", ["core"])]))
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(
            harness.starts.keys.map(\.rawValue).sorted()
                == ["r-1.c1.core.migrate.1", "r-1.c1.core.redeploy.1", "r-1.c2.core.redeploy.1"])
    }

    @Test func fleetAndLayerSurfacesAreJudgedAtTheirBoundaries() {
        let definition = Model.run { plan in
            plan.evidence.append(
                Surface(
                    name: "queue", scope: .fleet(vantage: "d1"),
                    source: .http(HTTPSource(url: "${baseURL}/q", timeoutSeconds: 1)), reader: Reader(shape: .statusMap)
                ))
        }
        var harness = EngineHarness(definition)
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(harness.state.accepted[.fleet] != nil)
    }
}

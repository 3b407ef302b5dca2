import RolloutEngine
import Testing
import UpgradeDomain

/// Compares what is shown of a capture with what it is judged by.
struct PlacementComparisonTests {
    private static let c2 = Placement(host: "c2", layer: "core")

    private typealias Damage = @Sendable (inout EngineHarness.Machine) -> Void

    private func run(
        _ definition: RunDefinition = Model.run(), _ damage: (inout EngineHarness.Machine) -> Void = { _ in }
    ) -> RolloutState {
        var harness = EngineHarness(definition)
        damage(&harness.machines[PlacementComparisonTests.c2, default: .init()])
        harness.run()
        return harness.state
    }

    private func divergent(_ state: RolloutState, at placement: Placement = c2) -> [String] {
        (state.comparison(of: placement)?.divergent ?? []).map { "\($0.surface) \($0.item)" }
    }

    /// Exactly the evidence that holds a run is shown as divergent, for every kind of evidence.
    @Test func evidenceThatHoldsTheRunDiverges() {
        let damages: [([String], Damage)] = [
            (["version:app app", "runtime:app manifest"], { $0.version = "1" }),
            (["runtime:app manifest"], { $0.manifest = "sha256:m9" }),
            (["runtime:app files"], { $0.says(.files, "12 of 40 differ", .unhealthy) }),
            (["materialization result"], { $0.materialization = 3 }),
            (["materialization instrument"], { $0.instrument = "sha256:bb" }),
            (["services store"], { $0.statuses["store"] = "down" }),
            (["services store"], { $0.statuses["store"] = nil }),
            (["services "], { $0.unknown = UnknownReason(.unparsable, "no JSON") }),
            (["smoke result"], { $0.path = 500 }),
        ]
        for (items, damage) in damages {
            let state = run { $0.afterUpgrade = damage }
            #expect(state.isHeld)
            #expect(divergent(state) == items)
            let other = Placement(host: "c1", layer: "core")
            #expect(divergent(state, at: other).isEmpty)
            #expect(state.comparison(of: other)?.items.map(\.item).contains("app") == true)
        }
    }

    @Test func everyItemThatDivergesIsShown() {
        let state = run { machine in
            machine.afterUpgrade = {
                $0.version = "1"
                $0.statuses = ["api": "down", "store": "down"]
                $0.path = 500
            }
        }
        #expect(
            divergent(state) == [
                "version:app app", "runtime:app manifest", "services api", "services store", "smoke result",
            ])
        let version = state.comparison(of: PlacementComparisonTests.c2)?.items.first
        #expect(version?.expected == "2" && version?.after == "1" && version?.before == "1")
    }

    /// A host in two layers: an expected change by one layer is not a difference of the other.
    @Test func anExpectedChangeByAnotherLayerOfTheHostPasses() {
        let store = ItemReference(surface: "services", item: "store")
        let definition = Model.run(
            [Model.layer("data") { $0.expects = [store] }, Model.layer("core")],
            hosts: [("c1", ["core"]), ("c2", ["data", "core"])])
        var harness = EngineHarness(definition)
        for layer in ["data", "core"] as [LayerName] {
            let placement = Placement(host: "c2", layer: layer)
            harness.machines[placement, default: .init()].afterUpgrade = { $0.statuses["store"] = "ready" }
        }
        harness.run()
        #expect(harness.state.status == .verified)
        for layer in ["data", "core"] as [LayerName] {
            let placement = Placement(host: "c2", layer: layer)
            #expect(divergent(harness.state, at: placement).isEmpty)
            let item = harness.state.comparison(of: placement)?.items.first { $0.item == "store" }
            #expect(item?.verdict == .changedAsExpected)
        }
    }

    @Test func waivedItemsDoNotDiverge() {
        let definition = Model.run {
            $0.waivers = [
                Waiver(
                    surface: "services", item: "store", owner: "own-core", reason: "known",
                    expiresAtMilliseconds: Model.rollbackUntil.milliseconds)
            ]
        }
        let state = run(definition) { $0.statuses["store"] = "down" }
        #expect(state.status == .verified)
        #expect(divergent(state).isEmpty)
        let item = state.comparison(of: PlacementComparisonTests.c2)?.items.first { $0.item == "store" }
        #expect(item?.verdict == .stillUnhealthy)
    }

    /// Before a baseline is accepted, the comparison shows what prevents it.
    @Test func aBaselineThatIsRefusedShowsWhy() {
        let state = run { $0.version = "7" }
        #expect(state.isHeld)
        #expect(divergent(state).contains("version:app app"))
        #expect(state.comparison(of: PlacementComparisonTests.c2)?.before == nil)
    }

    @Test func aRollbackIsComparedWithTheStateBeforeTheRun() {
        var harness = EngineHarness(Model.run())
        harness.machines[PlacementComparisonTests.c2, default: .init()].afterUpgrade = { $0.statuses["store"] = "down" }
        harness.run()
        harness.machines[PlacementComparisonTests.c2]?.afterUpgrade = nil
        harness.machines[PlacementComparisonTests.c2]?.statuses["store"] = "up"
        harness.request(.rollback(scope: .host(name: "c2"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[PlacementComparisonTests.c2]?.phase == .rolledBack(.verified))
        #expect(divergent(harness.state).isEmpty)
        let version = harness.state.comparison(of: PlacementComparisonTests.c2)?.items.first
        #expect(version?.expected == "1" && version?.after == "1")
    }

    /// An item that passed stays passed, whatever happens afterwards.
    @Test func anExpiredWaiverDoesNotChangeWhatPassed() throws {
        func run(waivedUntil end: WallTime) -> EngineHarness {
            let definition = Model.run {
                $0.waivers = [
                    Waiver(
                        surface: "services", item: "store", owner: "own-core", reason: "known",
                        expiresAtMilliseconds: end.milliseconds)
                ]
            }
            var harness = EngineHarness(definition)
            harness.machines[PlacementComparisonTests.c2, default: .init()].statuses["store"] = "down"
            harness.run()
            return harness
        }
        let end = run(waivedUntil: Model.rollbackUntil).state.lastEventAt
        var harness = run(waivedUntil: end.advanced(byMilliseconds: 1))
        #expect(harness.state.status == .verified)
        harness.request(.finalize)
        #expect(harness.state.lastEventAt > end)
        #expect(divergent(harness.state).isEmpty)
    }

    @Test func aRollbackOfAnotherLayerDoesNotChangeWhatPassed() {
        let store = ItemReference(surface: "services", item: "store")
        let definition = Model.run(
            [Model.layer("data"), Model.layer("core") { $0.expects = [store] }],
            hosts: [("c1", ["core"]), ("c2", ["data", "core"])])
        let data = Placement(host: "c2", layer: "data")
        var harness = EngineHarness(definition)
        harness.machines[PlacementComparisonTests.c2, default: .init()].afterUpgrade = {
            $0.statuses["store"] = "ready"
        }
        harness.run { $0.order.contains(PlacementComparisonTests.c2) }
        harness.machines[data]?.statuses["store"] = "ready"
        harness.run()
        #expect(harness.state.status == .verified)
        harness.request(.rollback(scope: .layer(name: "core"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[PlacementComparisonTests.c2]?.touched == false)
        #expect(divergent(harness.state, at: data).isEmpty)
    }

    /// A host that the previous run has changed is at its target before this run begins.
    @Test func placementsThatASuccessorAdoptsDoNotDiverge() {
        var first = EngineHarness(Model.run())
        first.machines[PlacementComparisonTests.c2, default: .init()].script = .ends(.exited(code: 1))
        first.run()
        first.request(.abort)
        let succession = Succession(
            predecessor: "r-0", baselines: first.state.baselines,
            attempts: first.state.placements.all.mapValues(\.attempt))
        var second = EngineHarness(Model.run(succession: succession))
        second.machines = first.machines
        let adopted = Placement(host: "d1", layer: "data")
        second.run { $0.state.accepted[.placement(adopted)] != nil }
        #expect(second.state.comparison(of: adopted) != nil && divergent(second.state, at: adopted).isEmpty)
        second.run { $0.state.placements[adopted]?.adopted == true }
        #expect(divergent(second.state, at: adopted).isEmpty)
    }
}

import Testing
import UpgradeDomain

@testable import RolloutEngine

/// Tests numbers that are compared with the first look after the change, such as how often a unit was started again.
@Suite struct FirstLookTests {
    private static let c1 = Placement(host: "c1", layer: "core")
    private var c1: Placement { FirstLookTests.c1 }

    /// A run whose hosts were restarted once before it, and five times by its change.
    private func harness(
        allowed: Double = 0, since: MeasuredSince? = .change, byChange: String = "5",
        change: (inout PlanLayer) -> Void = { _ in }
    ) -> EngineHarness {
        let restarts = Measure(
            name: "restarts", pointer: "/restarts", rise: Tolerance(absolute: allowed), since: since)
        let definition = Model.run(
            [Model.layer("core", change: change)], hosts: [("c1", ["core"]), ("c2", ["core"])]
        ) { plan in plan.evidence[0].reader.measures = [restarts] }
        var harness = EngineHarness(definition)
        for placement in harness.machines.keys {
            harness.machines[placement]?.statuses["restarts"] = "1"
            harness.machines[placement]?.afterUpgrade = { $0.statuses["restarts"] = byChange }
        }
        return harness
    }

    private func isSoaking(_ harness: EngineHarness) -> Bool { harness.state.placements[c1]?.phase == .soaking }

    private func restart(_ harness: inout EngineHarness, _ count: String) {
        harness.machines[c1]?.statuses["restarts"] = count
    }

    private func item(_ harness: EngineHarness) -> ComparedItem? {
        harness.state.comparison(of: c1)?.items.first { $0.item == "restarts" }
    }

    @Test func whatTheChangeItselfDoesIsNotCompared() {
        var since = harness()
        since.run()
        #expect(since.state.status == .verified)
        // Compared with the baseline it would be a regression.
        var baseline = harness(since: nil)
        baseline.run { $0.state.isHeld }
        #expect(baseline.state.holdingFailure?.problem.item?.before == "1")
    }

    @Test func aRiseWhileItSoaksHoldsTheRun() {
        var harness = harness()
        harness.run(until: isSoaking)
        restart(&harness, "6")
        harness.run()
        #expect(harness.state.isHeld)
        let problem = harness.state.holdingFailure?.problem
        #expect(problem?.code == .evidenceRegressed)
        #expect(problem?.detail == "services restarts: 5 -> 6")
        #expect(item(harness)?.before == "5" && item(harness)?.verdict == .regressed)
        #expect(item(harness)?.isDivergent == true)
    }

    @Test func aRiseBeforeItIsHealthyCountsFromTheFirstLook() {
        var harness = harness()
        harness.machines[c1]?.afterUpgrade = {
            $0.statuses["restarts"] = "5"
            $0.statuses["api"] = "down"
        }
        harness.run { $0.state.placements[FirstLookTests.c1]?.problem != nil }
        harness.machines[c1]?.statuses["api"] = "up"
        restart(&harness, "7")
        harness.run()
        #expect(harness.state.isHeld)
        #expect(item(harness)?.before == "5" && item(harness)?.after == "7")
    }

    /// A step may return before the old process is gone, whose count is that of another process.
    @Test func aLookAtTheProcessThatTheChangeEndsIsNoFirstOne() {
        var harness = harness()
        harness.machines[c1]?.afterUpgrade = {
            $0.version = "1"
            $0.statuses["restarts"] = "7"
        }
        harness.run { $0.state.placements[FirstLookTests.c1]?.problem != nil }
        harness.machines[c1]?.version = "2"
        restart(&harness, "0")
        harness.run(until: isSoaking)
        restart(&harness, "3")
        harness.run()
        #expect(harness.state.isHeld && item(harness)?.before == "0" && item(harness)?.after == "3")
    }

    @Test func anAllowedRiseAndAFallAreFine() {
        for count in ["7", "0"] {
            var harness = harness(allowed: 2)
            harness.run(until: isSoaking)
            restart(&harness, count)
            harness.run()
            #expect(harness.state.status == .verified)
        }
        var more = harness(allowed: 2)
        more.run(until: isSoaking)
        restart(&more, "8")
        more.run()
        #expect(more.state.isHeld)
    }

    @Test func nothingIsComparedBeforeTheChange() {
        var harness = harness()
        harness.run { $0.state.stage != .preflight && $0.state.baselines[.placement(FirstLookTests.c1)] != nil }
        restart(&harness, "3")
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func theFirstLookOutlivesTheDriver() {
        var harness = harness()
        harness.run(until: isSoaking)
        restart(&harness, "6")
        harness.crash(keeping: harness.log.count)
        harness.run()
        #expect(harness.state.isHeld && item(harness)?.before == "5")
    }

    @Test func aPlacementThatHasSoakedIsStillComparedAtTheBoundary() {
        var harness = harness()
        harness.run { $0.state.placements[FirstLookTests.c1]?.phase == .soaked }
        restart(&harness, "6")
        harness.run()
        #expect(harness.state.isHeld && item(harness)?.after == "6")
    }

    @Test func afterARepairByHandTheNextLookIsAFirstOne() {
        var harness = harness()
        harness.run(until: isSoaking)
        restart(&harness, "6")
        harness.run()
        #expect(harness.state.isHeld)
        harness.request(.recheck(host: "c1"))
        harness.run()
        harness.request(.resume)
        harness.run(until: isSoaking)
        restart(&harness, "7")
        harness.run()
        #expect(harness.state.isHeld)
        #expect(item(harness)?.before == "6" && item(harness)?.after == "7")
        harness.request(.recheck(host: "c1"))
        harness.run()
        harness.request(.resume)
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aRollbackIsNotCompared() {
        var harness = harness()
        harness.run(until: isSoaking)
        restart(&harness, "6")
        harness.run()
        restart(&harness, "9")
        harness.request(.rollback(scope: .host(name: "c1"), breakGlass: nil))
        harness.run()
        #expect(harness.state.placements[c1]?.phase == .rolledBack(.verified), "\(harness.state.holdingFailure as Any)")
    }

    /// A number that is outside its range is unhealthy before and after, whatever it is compared with.
    @Test func theRangeStillCounts() {
        let measure = Measure(
            name: "restarts", pointer: "/restarts", atMost: 8, rise: Tolerance(absolute: 0), since: .change)
        let reference = ItemReference(surface: "unit", item: "restarts")
        func verdict(_ before: Health, _ after: Health, first: String?) -> DeltaVerdict? {
            func capture(_ value: String, _ health: Health) -> Capture {
                let item = EvidenceItem(key: "restarts", value: value, health: health)
                return Capture(
                    subject: .placement(c1), takenAt: WallTime(clamping: 0),
                    surfaces: [SurfaceReading(name: "unit", role: .family, durationMilliseconds: 1, items: [item])])
            }
            return EvidenceComparison.deltas(
                before: capture("1", before), after: capture("9", after), expects: [], measures: [reference: measure],
                firstLook: first.map { [reference: $0] } ?? [:]
            ).first?.verdict
        }
        #expect(verdict(.healthy, .unhealthy, first: nil) == .regressed)
        #expect(verdict(.unhealthy, .unhealthy, first: nil) == .stillUnhealthy)
        #expect(verdict(.unhealthy, .unhealthy, first: "9") == .stillUnhealthy)
        #expect(verdict(.healthy, .healthy, first: nil) == .same)
        #expect(verdict(.healthy, .healthy, first: "9") == .same)
        #expect(verdict(.healthy, .healthy, first: "8") == .regressed)
        // What was bad in the baseline is good now, and has moved all the same.
        #expect(verdict(.unhealthy, .healthy, first: "8") == .regressed)
        #expect(verdict(.healthy, .unknown, first: nil) == .unknown)
    }
}

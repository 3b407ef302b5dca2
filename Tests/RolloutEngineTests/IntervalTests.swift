import Testing
import UpgradeDomain

@testable import RolloutEngine

/// A surface with an interval of its own is captured at every gate, and now and then while hosts soak.
struct IntervalTests {
    static let first = Placement(host: "d1", layer: "data")

    /// One host that soaks for a minute and is sampled every five seconds.
    private func harness(everySeconds: Int?) -> EngineHarness {
        let layer = Model.layer("data") { $0.soakSeconds = 60 }
        return EngineHarness(
            Model.run([layer], hosts: [("d1", ["data"])]) { $0.representativePath.everySeconds = everySeconds })
    }

    private func soakSamples(_ harness: EngineHarness) -> [Capture] {
        let isSoaking = harness.log.drop {
            if case .captured(let record) = $0.event { record.purpose != .verification(attempt: 1) } else { true }
        }
        return isSoaking.compactMap { recorded in
            guard case .captured(let record) = recorded.event, record.purpose == .verification(attempt: 1) else {
                return nil
            }
            return record.capture
        }
    }

    @Test func thePathIsWalkedAtItsInterval() {
        var harness = harness(everySeconds: 20)
        harness.run()
        #expect(harness.state.status == .verified)
        let samples = soakSamples(harness)
        let walks = samples.count { $0.surface("smoke") != nil }
        // Before the soak, at 20, 40 and 60 seconds, while the other surfaces are captured every 5.
        #expect(samples.count == 13)
        #expect(walks == 4)
        #expect(samples.allSatisfy { $0.surface("services") != nil })
        #expect(samples.filter { $0.surface("smoke") == nil }.allSatisfy { $0.omits == ["smoke"] })
    }

    @Test func withoutAnIntervalItIsWalkedWithEverySample() {
        var harness = harness(everySeconds: nil)
        harness.run()
        #expect(soakSamples(harness).allSatisfy { $0.surface("smoke") != nil && $0.omits == nil })
    }

    @Test func everyGateTakesAllSurfacesHoweverLongTheInterval() {
        var harness = harness(everySeconds: 86_400)
        harness.run()
        #expect(harness.state.status == .verified)
        let samples = soakSamples(harness)
        #expect(samples.first?.isWhole == true)
        // The look that ends the soak.
        #expect(samples.last?.isWhole == true)
        #expect(samples.dropFirst().dropLast().allSatisfy { !$0.isWhole })
        for recorded in harness.log {
            guard case .captured(let record) = recorded.event else { continue }
            if case .verification = record.purpose { continue }
            #expect(record.capture.isWhole)
        }
    }

    @Test func aSampleThatIsOrderedBeforeTheEndOfTheSoakAndBeginsAfterItEndsNoSoak() throws {
        var harness = harness(everySeconds: 86_400)
        harness.run { $0.state.placements[IntervalTests.first]?.lastLook?.isWhole == false }
        let mark = try #require(harness.state.placements[IntervalTests.first]?.phaseMark)
        harness.now = mark + .seconds(55)
        guard case .capture(let order)? = harness.next.effects.first else {
            Issue.record("no sample is due")
            return
        }
        #expect(order.omits == ["smoke"])
        harness.now = mark + .seconds(60)
        harness.carryOut(.capture(order))
        #expect(harness.state.placements[IntervalTests.first]?.lastLook?.began ?? .zero >= mark + .seconds(60))
        guard case .capture(let last)? = harness.next.effects.first else {
            Issue.record("the soak ends without a look at everything")
            return
        }
        #expect(last.omits.isEmpty)
    }

    @Test func aGateIsNotPassedByACaptureThatLacksSurfaces() throws {
        var harness = harness(everySeconds: 86_400)
        harness.run { $0.state.stage == .baseline }
        guard case .capture(var order)? = harness.next.effects.first else {
            Issue.record("no baseline is due")
            return
        }
        order.omits = ["smoke"]
        harness.carryOut(.capture(order))
        #expect(harness.state.stage == .baseline)
        #expect(harness.state.baselines.isEmpty)
    }

    /// While a run is paused nothing fails, so what was seen wrong must be seen right again.
    @Test func whatWasSeenWrongIsWatchedWithoutAnInterval() throws {
        var harness = harness(everySeconds: 86_400)
        harness.run { $0.state.placements[IntervalTests.first]?.phase == .soaking }
        harness.request(.pause)
        harness.machines[IntervalTests.first]?.statuses["store"] = "down"
        harness.run { $0.state.placements[IntervalTests.first]?.problem != nil }
        harness.machines[IntervalTests.first]?.path = 500
        harness.machines[IntervalTests.first]?.statuses["store"] = "up"
        let seen = harness.log.count
        harness.run { $0.log.count > seen }
        #expect(harness.state.placements[IntervalTests.first]?.problem?.code == .pathFailed)
    }

    @Test func aFailureIsSeenAtTheIntervalAndHoldsTheRun() {
        var harness = harness(everySeconds: 20)
        harness.run { $0.state.placements[IntervalTests.first]?.phase == .soaking }
        harness.machines[IntervalTests.first]?.path = 500
        harness.run()
        #expect(harness.state.holdingFailure?.problem.code == .pathFailed)
    }
}

import Testing
import UpgradeDomain

@testable import RolloutEngine

/// A verdict at a deadline or at the end of a soak uses a sample that began at that time or later.
struct DeadlineTests {
    static let first = Placement(host: "d1", layer: "data")

    /// A run whose first host has just been changed and sampled once; `change` makes it unhealthy.
    private func seenOnce(sampleSeconds: Int, healthyWithinSeconds: Int) -> EngineHarness {
        let layer = Model.layer("data") {
            $0.sampleSeconds = sampleSeconds
            $0.healthyWithinSeconds = healthyWithinSeconds
        }
        var harness = EngineHarness(Model.run([layer, Model.layer("core"), Model.layer("edge")]))
        harness.machines[DeadlineTests.first]?.afterUpgrade = { $0.statuses["store"] = "down" }
        harness.run { $0.state.placements[DeadlineTests.first]?.lastLook != nil }
        return harness
    }

    @Test func aHostThatIsHealthyAtTheDeadlinePassesEvenIfRarelySampled() {
        var harness = seenOnce(sampleSeconds: 3_600, healthyWithinSeconds: 6)
        #expect(harness.state.placements[DeadlineTests.first]?.phase == .warmingUp)
        harness.machines[DeadlineTests.first]?.statuses["store"] = "up"
        let began = harness.now
        harness.run { $0.state.placements[DeadlineTests.first]?.phase != .warmingUp }
        #expect(harness.state.placements[DeadlineTests.first]?.phase == .soaking)
        #expect(harness.now - began < .seconds(7))
        harness.run()
        #expect(harness.state.status == .verified)
    }

    @Test func aHostThatIsUnhealthyAtTheDeadlineHoldsTheRunWithTheEvidenceSeenThen() {
        var harness = seenOnce(sampleSeconds: 3_600, healthyWithinSeconds: 6)
        harness.machines[DeadlineTests.first]?.statuses = ["store": "up", "api": "down"]
        harness.run()
        #expect(harness.state.holdingFailure?.problem.detail.contains("api") == true)
        #expect(harness.log.filter { if case .deadlinePassed = $0.event { true } else { false } }.count == 1)
    }

    /// An answer that arrives after the deadline may show the state at the time of its request.
    @Test(arguments: [(false, true), (true, false)])
    func aLookThatBeganBeforeTheDeadlineDecidesNothing(isLate: Bool, decides: Bool) throws {
        var harness = seenOnce(sampleSeconds: 3_600, healthyWithinSeconds: 6)
        let capture = try #require(harness.state.placements[DeadlineTests.first]?.latest)
        harness.now = harness.now + .seconds(6)
        guard case .capture(let order)? = harness.next.effects.first else {
            Issue.record("no last sample is requested")
            return
        }
        let seconds = isLate ? 5 : 0
        var late = capture
        late.takenAt = harness.wall.advanced(byMilliseconds: Int64(-1_000 * seconds))
        harness.append(
            .captured(CaptureRecord(purpose: order.purpose, capture: late, orderedAfter: harness.state.sequence)))
        let isOver = harness.next.effects.contains { if case .record(.deadlinePassed) = $0 { true } else { false } }
        #expect(isOver == decides)
        #expect(harness.next.effects.contains(.capture(order)) == !decides)
    }

    @Test func aSoakEndsWithALookThatBeganAtItsEnd() throws {
        var harness = EngineHarness(Model.run())
        harness.run { $0.state.placements[DeadlineTests.first]?.phase == .soaking }
        let mark = try #require(harness.state.placements[DeadlineTests.first]?.phaseMark)
        harness.run { $0.state.placements[DeadlineTests.first]?.phase == .soaked }
        let soaked = try #require(
            harness.log.last { if case .placementSoaked = $0.event { true } else { false } }?.recordedAt)
        let last = try #require(harness.state.placements[DeadlineTests.first]?.latest?.takenAt)
        #expect(soaked.milliseconds - last.milliseconds < 100)
        #expect(harness.now - mark >= .seconds(10))
    }

    // MARK: Time without samples

    private func interruptions(_ harness: EngineHarness) -> [WatchInterruption] {
        harness.log.compactMap { if case .watchInterrupted(let interruption) = $0.event { interruption } else { nil } }
    }

    /// A sample that hangs, or a coordinator that is too busy to take one.
    @Test func anUnwatchedSoakStartsAgain() throws {
        var harness = EngineHarness(Model.run())
        harness.run { $0.state.placements[DeadlineTests.first]?.phase == .soaking }
        harness.now = harness.now + .seconds(3_000)
        let resumed = harness.now
        harness.run { $0.state.placements[DeadlineTests.first]?.phase == .soaked }
        #expect(interruptions(harness).map(\.placement) == [DeadlineTests.first])
        #expect(try #require(interruptions(harness).first).seconds >= 3_000)
        #expect(harness.now - resumed >= .seconds(10))
        harness.run()
        #expect(harness.state.status == .verified)
    }

    /// A host that can never be sampled in time holds the run and does not soak forever.
    @Test func aPlacementThatCanNotBeWatchedFailsAfterAFewTries() throws {
        var harness = EngineHarness(Model.run())
        for count in 0..<6 where !harness.state.isHeld {
            harness.run { $0.state.placements[DeadlineTests.first]?.phase == .soaking }
            harness.now = harness.now + .seconds(3_000)
            harness.run { $0.state.isHeld || interruptions($0).count > count }
        }
        harness.run()
        #expect(harness.state.status == .held(.progressDeadline))
        #expect(interruptions(harness).count == RolloutState.interruptionsLimit)
        let detail = try #require(harness.state.holdingFailure?.problem.detail)
        #expect(detail.contains("d1/data could not be watched: looks at it were up to 30"), "\(detail)")
    }

    @Test func aPlacementSampledAsThePlanSaysIsNotInterrupted() {
        var harness = EngineHarness(Model.run())
        harness.run()
        #expect(harness.state.status == .verified)
        #expect(interruptions(harness).isEmpty)
    }

    /// A request that the fleet shares may wait for those of all other hosts.
    @Test func theWatchLimitIncludesTheWaitForSharedRequestRates() throws {
        func limit(_ rate: Int?) throws -> Duration {
            let definition = Model.run { plan in
                plan.representativePath.source = .http(
                    HTTPSource(url: "${baseURL}/smoke", timeoutSeconds: 5, fleetRequestsPerSecond: rate))
            }
            return try #require(EngineHarness(definition).state.frozen.watchLimits["data"])
        }
        let alone = try limit(nil)
        // 6 hosts: at 2 a second the last one waits up to 4 s, at 1 a second 7 s.
        #expect(try limit(2) - alone == .seconds(4))
        #expect(try limit(1) - alone == .seconds(7))
    }

    @Test func aHostFoundUnhealthyAfterAGapFailsItsSoakAtOnce() {
        var harness = EngineHarness(Model.run())
        harness.run { $0.state.placements[DeadlineTests.first]?.phase == .soaking }
        harness.now = harness.now + .seconds(3_000)
        harness.machines[DeadlineTests.first]?.statuses["store"] = "down"
        harness.run { $0.state.isHeld }
        #expect(interruptions(harness).isEmpty)
        #expect(harness.state.status == .held(.evidenceRegressed))
    }

    @Test func anUnwatchedHealthyDeadlineStartsAgain() {
        var harness = seenOnce(sampleSeconds: 5, healthyWithinSeconds: 60)
        harness.now = harness.now + .seconds(3_000)
        harness.run { !$0.state.isHeld && $0.log.contains { $0.event.kind == "watchInterrupted" } }
        #expect(harness.state.placements[DeadlineTests.first]?.phase == .warmingUp)
        harness.machines[DeadlineTests.first]?.statuses["store"] = "up"
        harness.run()
        #expect(harness.state.status == .verified)
    }

    /// The driver was stopped, or its machine slept.
    @Test func timeWhileTheDriverStoodStillCountsForNoWatchOrDeadline() throws {
        for phase in [PlacementPhase.soaking, .warmingUp, .checked] {
            var harness = EngineHarness(Model.run())
            harness.run { $0.state.placements[DeadlineTests.first]?.phase == phase }
            harness.now = harness.now + .seconds(1_000_000)
            harness.append(.watchInterrupted(WatchInterruption(placement: nil, seconds: 1_000_000)))
            let state = try #require(harness.state.placements[DeadlineTests.first])
            #expect(state.phase == (phase == .checked ? .waiting : .warmingUp))
            #expect(state.phaseMark == harness.now && harness.state.advanceMark == harness.now)
            let isOver = harness.next.effects.contains {
                if case .record(.deadlinePassed) = $0 { true } else { false }
            }
            #expect(!isOver)
            harness.run()
            #expect(harness.state.status == .verified, "\(phase)")
        }
    }

    @Test func aDeadlineNamesWhatIsWaitedFor() {
        var harness = EngineHarness(Model.run())
        harness.machines[DeadlineTests.first]?.script = .neverArrives
        harness.run { $0.state.openOperations.isEmpty == false }
        harness.now = harness.now + .seconds(1_000_000)
        let waits = harness.next.effects.compactMap { effect -> String? in
            if case .record(.deadlinePassed(let record)) = effect { record.waitingFor } else { nil }
        }
        #expect(waits.first?.hasPrefix("d1/data waits for the end of r-") == true, "\(waits)")
    }
}

import Testing

@testable import TestSupport

@Suite struct TimeLimitTests {
    @Test(arguments: [(10, 1.0), (100, 1), (250, 2.5), (400, 4), (5_000, 4)])
    func aSlowMachineGetsMoreTimeWithinABound(_ milliseconds: Int, _ stretch: Double) {
        #expect(Yardstick.stretch(for: .milliseconds(milliseconds)) == stretch)
    }

    @Test func theYardstickMeasuresWork() {
        #expect(Yardstick.measure() > .milliseconds(5))
    }

    @Test func aLimitPassesOnceAndIsStretchedAtMostFourfold() async throws {
        var long = TimeLimit(.seconds(3_600))
        let isOver = long.hasPassed()
        #expect(!isOver)
        var limit = TimeLimit(.milliseconds(20))
        while !limit.hasPassed() { await Task.yield() }
        #expect((Duration.milliseconds(20)...(.milliseconds(80))).contains(limit.duration))
        #expect(limit.remaining == .zero)
    }

    @Test func aLateEventIsAwaitedAndAMissingOneIsNamed() async throws {
        var count = 0
        try await eventually("three polls", within: .seconds(3_600)) {
            count += 1
            return count == 3
        }
        await #expect { try await eventually("the impossible", within: .milliseconds(5)) { false } } throws: {
            "\($0)".hasSuffix("the impossible")
        }
    }
}

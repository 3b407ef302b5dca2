import RolloutEngine
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// Requests to an API that a fleet shares are sent no faster than the plan allows.
struct RequestSpacingTests {
    private func surface(_ name: SurfaceName, perSecond: Int?) -> Surface {
        Surface(
            name: name,
            source: .http(HTTPSource(url: "http://api/", timeoutSeconds: 1, fleetRequestsPerSecond: perSecond)),
            reader: Reader(shape: .result))
    }

    @Test func limitedSurfacesTakeTurnsAndOthersDoNotWait() async {
        let start = MonotonicTime.zero
        let spacing = RequestSpacing(
            clock: RuntimeClock(monotonic: { start }, wall: { WallTime(clamping: 0) }))
        let shared = surface("shared", perSecond: 4)
        var turns: [Duration] = []
        for _ in 0..<5 { turns.append(await spacing.turn(for: [shared, surface("own", perSecond: nil)]) - start) }
        #expect(turns == [0, 250, 500, 750, 1_000].map { .milliseconds($0) })
        #expect(await spacing.turn(for: [surface("own", perSecond: nil)]) == start)
    }
}

import RolloutEngine
import UpgradeDomain

/// Spaces the requests of a whole fleet to a surface that all hosts share, so that taking evidence does not become load.
actor RequestSpacing {
    private let clock: RuntimeClock
    private var free: [SurfaceName: MonotonicTime] = [:]

    init(clock: RuntimeClock) { self.clock = clock }

    /// Takes the next turn of each limited surface.
    /// - Returns: when the last of them may be sent.
    func turn(for surfaces: [Surface]) -> MonotonicTime {
        let now = clock.monotonic()
        var last = now
        for surface in surfaces {
            guard case .http(let http) = surface.source, let perSecond = http.fleetRequestsPerSecond else { continue }
            let start = max(now, free[surface.name] ?? now)
            free[surface.name] = start + .seconds(1) / max(1, perSecond)
            last = max(last, start)
        }
        return last
    }

    /// Waits for that turn.
    nonisolated func wait(for surfaces: [Surface]) async throws(CancellationError) {
        let pause = await turn(for: surfaces) - clock.monotonic()
        if pause > .zero { try await clock.sleep(pause) }
    }
}

import RolloutEngine
import UpgradeDomain

/// Limits the rate at which a whole fleet sends requests to a shared surface, so that captures do not overload it.
actor RequestSpacing {
    private let clock: RuntimeClock
    private var free: [SurfaceName: MonotonicTime] = [:]

    init(clock: RuntimeClock) { self.clock = clock }

    /// Reserves the next turn of each rate-limited surface.
    /// - Returns: when the last request may be sent.
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

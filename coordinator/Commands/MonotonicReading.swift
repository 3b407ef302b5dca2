import RolloutEngine

/// Turns the system's continuous clock into the engine's time.
enum MonotonicReading {
    static func since(_ start: ContinuousClock.Instant) -> MonotonicTime {
        MonotonicTime(sinceStart: ContinuousClock().now - start)
    }
}

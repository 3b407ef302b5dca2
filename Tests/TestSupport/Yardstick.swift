/// How much slower this machine is now than the one for which the tests' time limits were chosen: an old machine or
/// one with busy processors gets more time; a hang on a quiet machine is still found at once.
package enum Yardstick {
    /// The highest factor by which a limit is extended, however slow the machine is.
    package static let highestStretch = 4.0

    /// The duration of the work in ``measure()`` in a debug build, on two quiet cores of 2026.
    static let quietDuration = Duration.milliseconds(100)
    private static let rounds = 4_500_000

    /// How many times longer a piece of work takes now than on the quiet machine: from 1 to ``highestStretch``.
    ///
    /// Takes a tenth of a second if nothing else runs.
    package static func stretch() -> Double { stretch(for: measure()) }

    static func stretch(for duration: Duration) -> Double { min(max(duration / quietDuration, 1), highestStretch) }

    /// The time that a fixed piece of work takes now; it depends on the processors' speed and load.
    static func measure() -> Duration {
        var value: UInt64 = 1
        let time = ContinuousClock().measure {
            var round = 0
            while round < rounds {
                // Knuth's linear congruential generator; its result is used so that the compiler keeps the loop.
                value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                round += 1
            }
        }
        precondition(value != 0)
        return time
    }
}

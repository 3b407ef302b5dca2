/// A reading of a clock that never jumps, as the time since an arbitrary start. Deadlines and soaks use only this.
public struct MonotonicTime: Hashable, Comparable, Sendable {
    public var sinceStart: Duration

    public init(sinceStart: Duration) { self.sinceStart = sinceStart }

    public static let zero = MonotonicTime(sinceStart: .zero)

    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.sinceStart < right.sinceStart }
    public static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        MonotonicTime(sinceStart: time.sinceStart + duration)
    }
    public static func - (later: MonotonicTime, earlier: MonotonicTime) -> Duration {
        later.sinceStart - earlier.sinceStart
    }
}

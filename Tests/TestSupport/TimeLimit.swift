import Glibc

/// A time limit for something that must happen.
///
/// Chosen for a quiet machine. Once it has passed, ``Yardstick`` measures how slow the machine is at that moment, and
/// the limit is extended by that factor, once.
package struct TimeLimit: Sendable {
    package private(set) var duration: Duration
    private let start = ContinuousClock.now
    private var isStretched = false

    package init(_ duration: Duration) { self.duration = duration }

    /// The time that is left; never negative.
    package var remaining: Duration { max(.zero, duration - (ContinuousClock.now - start)) }

    /// Whether its time is up.
    package mutating func hasPassed() -> Bool {
        guard remaining == .zero else { return false }
        if !isStretched {
            isStretched = true
            duration = duration * Yardstick.stretch()
        }
        return remaining == .zero
    }
}

/// An error for something that did not happen in time.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String

    package init(_ what: String, _ limit: TimeLimit) { description = "not within \(limit.duration): \(what)" }
}

/// Polls a condition until it holds.
///
/// - Throws: ``NotInTime``, or the error that the condition throws.
package func eventually(
    _ what: String, within duration: Duration = .seconds(60), every pause: Duration = .milliseconds(5),
    _ condition: () async throws -> Bool
) async throws {
    var deadline = TimeLimit(duration)
    while try await !condition() {
        guard !deadline.hasPassed() else { throw NotInTime(what, deadline) }
        try await Task.sleep(for: pause)
    }
}

/// ``eventually(_:within:every:_:)`` for a synchronous test: blocks its thread while it waits.
package func blockUntil(
    _ what: String, within duration: Duration = .seconds(60), every pause: Duration = .milliseconds(5),
    _ condition: () throws -> Bool
) throws {
    var deadline = TimeLimit(duration)
    while try !condition() {
        guard !deadline.hasPassed() else { throw NotInTime(what, deadline) }
        usleep(UInt32(pause / .microseconds(1)))
    }
}

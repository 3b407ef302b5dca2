import Glibc

/// A limit on the time that something may take which has to happen.
///
/// Chosen for a quiet machine. Once it has passed, ``Yardstick`` says how slow the machine is at that moment, and the limit
/// is stretched by as much, once.
package struct TimeLimit: Sendable {
    package private(set) var duration: Duration
    private let start = ContinuousClock.now
    private var isStretched = false

    package init(_ duration: Duration) { self.duration = duration }

    /// What is left of it; not below zero.
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

/// What did not happen in time.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String

    package init(_ what: String, _ limit: TimeLimit) { description = "not within \(limit.duration): \(what)" }
}

/// Polls a condition until it holds.
///
/// - Throws: ``NotInTime``, and what the condition throws.
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

/// ``eventually(_:within:every:_:)`` for a test that is not asynchronous: blocks its thread meanwhile.
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

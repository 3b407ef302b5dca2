/// What going on with a run takes.
package enum Resumption: Hashable, Sendable {
    /// Nothing: it is closed.
    case closed
    /// A person's decision, which is to be recorded: it was paused, or a boundary had closed.
    case decision
    /// A driver, from where it stands. What was begun is seen to its end first; only at rest is there a decision to take back.
    case driver
    /// Nothing: somebody drives it.
    case underWay
}

extension RolloutState {
    /// - Parameter isDriven: whether a process drives it now.
    package func resumption(isDriven: Bool) -> Resumption {
        if isClosed { return .closed }
        if (isPaused && !isAborted) || (isHeld && (isDriven || isAtRest)) { return .decision }
        return isDriven ? .underWay : .driver
    }
}

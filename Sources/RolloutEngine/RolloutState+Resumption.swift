/// What is needed to continue a run.
package enum Resumption: Hashable, Sendable {
    /// Nothing: the run is closed.
    case closed
    /// A person's decision, which is recorded: the run was paused, or a boundary had failed.
    case decision
    /// A driver, from the run's present state. Operations in flight are finished first. Only a run at rest has a
    /// decision to take back.
    case driver
    /// Nothing: a process is driving it.
    case underWay
}

extension RolloutState {
    /// - Parameter isDriven: whether a process is driving the run now.
    package func resumption(isDriven: Bool) -> Resumption {
        if isClosed { return .closed }
        if (isPaused && !isAborted) || (isHeld && (isDriven || isAtRest)) { return .decision }
        return isDriven ? .underWay : .driver
    }
}

package import UpgradeDomain

/// What must happen next. The coordinator's runtime carries it out and appends what it learns.
package enum Effect: Hashable, Sendable {
    /// Append a decision that follows from time or from the order of the run.
    case record(RunEvent)
    case preflight(host: HostName)
    case capture(CaptureOrder)
    /// Send a recorded intent and follow it to its end.
    case start(OperationIntent)
    /// Ask the agent for the outcome of an operation and follow it to its end.
    case settle(OperationIntent)
    /// Report to the agent over a new connection that its host was reached after the change, or learn that it rolled
    /// back.
    case confirm(OperationIntent)
}

extension Effect {
    /// The same effect whatever it omits: captures of one subject for one purpose are one piece of work.
    package var withoutOmissions: Effect {
        guard case .capture(var order) = self else { return self }
        order.omits = []
        return .capture(order)
    }
}

/// Evidence to be taken.
package struct CaptureOrder: Hashable, Sendable {
    package var subject: EvidenceSubject
    package var purpose: CapturePurpose
    /// The host that takes the capture.
    package var host: HostName
    /// The surfaces of the subject that are not captured this time; empty for a gate, which takes all of them.
    package var omits: [SurfaceName]

    package init(subject: EvidenceSubject, purpose: CapturePurpose, host: HostName, omits: [SurfaceName] = []) {
        self.subject = subject
        self.purpose = purpose
        self.host = host
        self.omits = omits
    }
}

/// The effects that are due now, and when to ask again if nothing happens.
///
/// At most ``readsAtOnce`` read-only effects are due at once. Others become due as these are answered.
package struct Decision: Hashable, Sendable {
    /// How many hosts are read at once before, between and after changes.
    package static let readsAtOnce = 256

    package var effects: [Effect] = []
    package var wakeAt: MonotonicTime?

    mutating func wake(at time: MonotonicTime) {
        wakeAt = wakeAt.map { min($0, time) } ?? time
    }
}

package import UpgradeDomain

/// What must happen next. Imperative; carried out by the coordinator's runtime, which appends what it learns.
package enum Effect: Hashable, Sendable {
    /// Append a decision that time or the sequence made.
    case record(RunEvent)
    case preflight(host: HostName)
    case capture(CaptureOrder)
    /// Send a recorded intent and follow it to its end.
    case start(OperationIntent)
    /// Ask the agent what became of an operation and follow it to its end.
    case settle(OperationIntent)
    /// Tell the agent over a new connection that its host was reached after the change, or learn that it went back.
    case confirm(OperationIntent)
}

/// Evidence to be taken.
package struct CaptureOrder: Hashable, Sendable {
    package var subject: EvidenceSubject
    package var purpose: CapturePurpose
    /// The host that takes it.
    package var host: HostName

    package init(subject: EvidenceSubject, purpose: CapturePurpose, host: HostName) {
        self.subject = subject
        self.purpose = purpose
        self.host = host
    }
}

/// The effects due now, and when to ask again if nothing happens.
///
/// Of what only reads, at most ``readsAtOnce`` are due: the others become due as these are answered.
package struct Decision: Hashable, Sendable {
    /// How many hosts of a fleet are asked at once before, between and after the changes.
    package static let readsAtOnce = 256

    package var effects: [Effect] = []
    package var wakeAt: MonotonicTime?

    mutating func wake(at time: MonotonicTime) {
        wakeAt = wakeAt.map { min($0, time) } ?? time
    }
}

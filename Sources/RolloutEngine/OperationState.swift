package import UpgradeDomain

/// An operation that the ledger has an intent of.
package struct OperationState: Hashable, Sendable {
    package enum Fate: Hashable, Sendable {
        /// Intended; whether it was sent is known only to the driver that intended it.
        case intended
        /// In the agent's journal.
        case running
        /// May or may not have arrived, or its end was lost: to be settled.
        case uncertain
        /// Ended on its host, which goes back by itself unless it is confirmed in time.
        case unconfirmed(OperationRecord, since: WallTime)
        case ended(OperationRecord)
        case withdrawn
        /// The agent refuses it forever: it never ran.
        case tombstoned
    }

    package let intent: OperationIntent
    package internal(set) var fate: Fate

    package var isOpen: Bool {
        switch fate {
        case .intended, .running, .uncertain, .unconfirmed: true
        case .ended, .withdrawn, .tombstoned: false
        }
    }

    /// Known to have begun on its host, which keeps what it prints.
    package var hasOutput: Bool {
        switch fate {
        case .running, .unconfirmed, .ended: true
        case .intended, .uncertain, .withdrawn, .tombstoned: false
        }
    }

    /// Open, and not known to have ended on its host.
    var isUnended: Bool {
        switch fate {
        case .intended, .running, .uncertain: true
        case .unconfirmed, .ended, .withdrawn, .tombstoned: false
        }
    }
}

extension RunEvent {
    /// What follows from a refused start: the operation is over where nothing of it began; otherwise the agent is asked how it
    /// ended.
    ///
    /// - Parameter detail: the refusal, in words.
    package static func startRefused(of id: OperationID, _ detail: String, provesNothingBegan: Bool) -> RunEvent {
        provesNothingBegan
            ? .operationEnded(OperationRecord(id: id, outcome: .notStarted(detail: detail)))
            : .operationUncertain(id: id, detail: detail)
    }
}

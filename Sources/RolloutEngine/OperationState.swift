package import UpgradeDomain

/// An operation whose intent is in the ledger.
package struct OperationState: Hashable, Sendable {
    package enum Fate: Hashable, Sendable {
        /// Intended. Only the driver that intended it knows whether it was sent.
        case intended
        /// In the agent's journal.
        case running
        /// It may or may not have arrived, or its end was lost: it must be settled.
        case uncertain
        /// It ended on its host, which rolls back by itself unless the change is confirmed in time.
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

    /// Known to have started on its host, which keeps its output.
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
    /// The event that follows from a refused start. If nothing of the operation began, it is over. Otherwise the agent
    /// is asked how it ended.
    ///
    /// - Parameter detail: the refusal, in words.
    package static func startRefused(of id: OperationID, _ detail: String, provesNothingBegan: Bool) -> RunEvent {
        provesNothingBegan
            ? .operationEnded(OperationRecord(id: id, outcome: .notStarted(detail: detail)))
            : .operationUncertain(id: id, detail: detail)
    }
}

/// Every operation with an intent in the run, and which of them are open. A closed operation never changes.
struct OperationTable: Hashable, Sendable {
    private(set) var all: [OperationID: OperationState] = [:]
    private(set) var open: Set<OperationID> = []

    /// Records an intent; its operation is open.
    mutating func intend(_ intent: OperationIntent) {
        all[intent.id] = OperationState(intent: intent, fate: .intended)
        open.insert(intent.id)
    }

    /// The outcome of an operation is now known, or no longer known.
    ///
    /// - Returns: the operation's intent; nil if the event does not fit: the operation was never intended, or its end
    ///   is already known.
    mutating func settle(_ id: OperationID, as fate: OperationState.Fate) -> OperationIntent? {
        guard let operation = all[id] else { return nil }
        let canBe =
            switch fate {
            case .intended: false
            case .running, .uncertain, .unconfirmed, .withdrawn, .tombstoned: operation.isUnended
            case .ended: operation.isOpen
            }
        guard canBe else { return nil }
        all[id]?.fate = fate
        if all[id]?.isOpen == false { open.remove(id) }
        return operation.intent
    }
}

/// A change that its host will roll back by itself.
package struct PendingRevert: Hashable, Sendable {
    package let operation: OperationID
    package let placement: Placement
    package let withinSeconds: Int
    /// When the coordinator learned of the change's end, which was earlier; nil while it is not known to have ended.
    package let endedAt: WallTime?
}

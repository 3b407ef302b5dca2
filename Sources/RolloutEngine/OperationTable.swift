import UpgradeDomain

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

import UpgradeDomain

/// Every operation that the run has an intent of, and which of them are open. An operation that is closed stays as it is.
struct OperationTable: Hashable, Sendable {
    private(set) var all: [OperationID: OperationState] = [:]
    private(set) var open: Set<OperationID> = []

    /// An intent is on record: its operation is open.
    mutating func intend(_ intent: OperationIntent) {
        all[intent.id] = OperationState(intent: intent, fate: .intended)
        open.insert(intent.id)
    }

    /// What became of an operation is known now, or known no more.
    ///
    /// - Returns: the intent that follows from it; nil where it can not be: the operation was never intended, or its end is known.
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

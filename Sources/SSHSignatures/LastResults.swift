import Synchronization

/// What a pure function gave for the arguments that it was asked for last, so that the same signatures and signed texts are
/// not verified and read again at each fold of a run.
///
/// Only results are kept; a call that throws is repeated. Once there are too many, all are forgotten.
package final class LastResults<Argument: Hashable & Sendable, Result: Sendable>: Sendable {
    private let limit: Int
    private let kept = Mutex<[Argument: Result]>([:])

    /// - Parameter limit: how many results are kept at most.
    package init(limit: Int) { self.limit = limit }

    /// The result for an argument: as it was kept, or computed.
    package func result<Failure>(
        for argument: Argument, compute: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let known = kept.withLock({ $0[argument] }) { return known }
        let result = try compute()
        kept.withLock { kept in
            if kept.count >= limit { kept.removeAll(keepingCapacity: true) }
            kept[argument] = result
        }
        return result
    }
}

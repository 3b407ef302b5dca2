import ContentDigest
import GRDB
package import UpgradeDomain

/// What a host's journal says of an operation whose ledger is lost. Not an event: no intent, approval or evidence of it is
/// known any more, and it is no part of a chain.
package struct ReconstructedOperation: Codable, Hashable, Sendable {
    package enum State: Codable, Hashable, Sendable {
        case running
        case ended(OperationOutcome)
        /// It never ran and never will.
        case tombstoned
    }
    package var host: HostName
    package var operation: OperationID
    package var state: State
    /// Nil for a tombstone, as is the chain's head.
    package var planDigest: Digest?
    /// The head of the lost ledger's chain when it was begun.
    package var chainHead: Digest?

    package init(
        host: HostName, operation: OperationID, state: State, planDigest: Digest?, chainHead: Digest?
    ) {
        self.host = host
        self.operation = operation
        self.state = state
        self.planDigest = planDigest
        self.chainHead = chainHead
    }
}

extension Ledger {
    /// Takes the place of a ledger that is lost: its identity, so that hosts follow this one, epochs above all that they
    /// have seen, and what their journals remember. Only for a ledger without a run.
    ///
    /// This object still has the old identity afterwards: open the ledger again.
    ///
    /// - Parameter epoch: the highest that any host has seen; hosts that were not asked may have seen more, so there is a
    ///   wide gap, as after a restore.
    package func takePlace(
        of lost: LedgerID, above epoch: Epoch, remembering operations: [ReconstructedOperation], by user: String,
        at time: WallTime
    ) throws(LedgerError) {
        let rows = try operations.map { operation throws(LedgerError) in
            (operation, try encode(operation, as: "reconstructed operation"))
        }
        try write("take the place of the ledger \(lost)") { db in
            guard try Int.fetchOne(db, sql: "SELECT count(*) FROM runs") == 0 else {
                throw LedgerError(
                    .contradiction,
                    "The ledger \(path) has runs of its own, so it can not take the place of another; use a new file "
                        + "with --ledger. Nothing was recorded.")
            }
            let floor = try db.epochFloor(above: epoch, at: time)
            try db.execute(
                sql: "UPDATE meta SET ledger_id = ?, epoch_floor = max(epoch_floor, ?)",
                arguments: [lost.rawValue, floor])
            for (operation, document) in rows { try db.insert(operation, document, by: user, at: time) }
        }
    }

    /// What was reconstructed from hosts, by host and operation.
    package func reconstructedOperations() throws(LedgerError) -> [ReconstructedOperation] {
        try read("read what was reconstructed") { db in
            try Row.fetchAll(db, sql: "SELECT document FROM reconstructed_operations ORDER BY host, operation")
                .map { try CanonicalJSON.stored(ReconstructedOperation.self, from: $0.bytes("document")) }
        }
    }
}

import ContentDigest
import GRDB
package import UpgradeDomain

/// What a host's journal says about an operation whose ledger is lost. This is not an event: its intent, approval and
/// evidence are unknown, and it is not part of a chain.
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
    /// Nil for a tombstone, like the chain's head.
    package var planDigest: Digest?
    /// The head of the lost ledger's chain when the operation began.
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
    /// Replaces a lost ledger: takes its identity, so that hosts follow this one; epochs above all that the hosts have
    /// seen; and what their journals remember. Only for a ledger without runs.
    ///
    /// This object still has the old identity afterwards, so open the ledger again.
    ///
    /// - Parameter epoch: the highest that any host has seen. Hosts that were not asked may have seen a higher one, so
    ///   a wide gap follows, as after a restore.
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
            guard try Int.fetchOne(db, sql: "SELECT count(*) FROM policies") == 0 else {
                throw LedgerError(
                    .contradiction,
                    "The ledger \(path) has a policy, which names this ledger, so it can not take the place of another; "
                        + "use a new file with --ledger, and add the lost ledger's policy to it afterwards. Nothing "
                        + "was recorded.")
            }
            let floor = try db.epochFloor(above: epoch, at: time)
            try db.execute(
                sql: "UPDATE meta SET ledger_id = ?, epoch_floor = max(epoch_floor, ?)",
                arguments: [lost.rawValue, floor])
            for (operation, document) in rows { try db.insert(operation, document, by: user, at: time) }
        }
    }

    /// The operations reconstructed from hosts, by host and operation.
    package func reconstructedOperations() throws(LedgerError) -> [ReconstructedOperation] {
        try read("read the reconstructed operations") { db in
            try Row.fetchAll(db, sql: "SELECT document FROM reconstructed_operations ORDER BY host, operation")
                .map { try CanonicalJSON.stored(ReconstructedOperation.self, from: $0.bytes("document")) }
        }
    }
}

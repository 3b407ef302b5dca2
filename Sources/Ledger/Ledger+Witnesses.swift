import GRDB
package import UpgradeDomain

/// The head of a run's chain as a host keeps it. It reached the host with an operation or with a capture at a gate, so
/// someone who rewrites the ledger cannot change it.
package struct Witness: Codable, Hashable, Sendable {
    package var host: HostName
    /// The operation it came with; nil for a capture.
    package var operation: OperationID?
    package var head: Digest

    package init(host: HostName, operation: OperationID?, head: Digest) {
        self.host = host
        self.operation = operation
        self.head = head
    }

    /// Where it came from, in words.
    package var origin: String { operation?.rawValue ?? "a gate" }
}

extension Ledger {
    /// Stores what hosts witness about a run, even if it contradicts the record. What is already stored does not
    /// change.
    package func keep(_ witnesses: [Witness], of run: RunID, by user: String, at time: WallTime) throws(LedgerError) {
        try write("store the witnesses of the run \(run)") { db in
            _ = try db.existingRun(run)
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO witnesses (run, host, operation, head, fetched_by, fetched_at_milliseconds)
                    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                    """)
            for witness in witnesses {
                try insert.execute(arguments: [
                    run.rawValue, witness.host.rawValue, witness.operation?.rawValue ?? "", witness.head.rawValue, user,
                    time.milliseconds,
                ])
            }
        }
    }

    /// The hash of each event of a run, with the event's sequence number.
    package func chainHashes(of run: RunID) throws(LedgerError) -> [Digest: UInt64] {
        try read("read the chain of the run \(run)") { db in
            _ = try db.existingRun(run)
            let rows = try Row.fetchCursor(
                db, sql: "SELECT hash, sequence FROM events WHERE run = ?", arguments: [run.rawValue])
            var hashes: [Digest: UInt64] = [:]
            while let row = try rows.next() { hashes[row.name("hash")] = row.unsigned("sequence") }
            return hashes
        }
    }
}

extension Database {
    func witnesses(of run: RunID) throws -> [Witness] {
        try Row.fetchAll(
            self, sql: "SELECT host, operation, head FROM witnesses WHERE run = ? ORDER BY host, operation",
            arguments: [run.rawValue]
        ).map { row in
            let operation: OperationID = row.name("operation")
            return Witness(
                host: row.name("host"), operation: operation.rawValue.isEmpty ? nil : operation, head: row.name("head"))
        }
    }
}

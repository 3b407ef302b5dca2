import GRDB
package import UpgradeDomain

/// The head of a run's chain as a host keeps it: it came there with an operation or a capture at a gate, and whoever rewrites the
/// ledger can not reach it.
package struct Witness: Codable, Hashable, Sendable {
    package var host: HostName
    /// What it came with; nil for a capture.
    package var operation: OperationID?
    package var head: Digest

    package init(host: HostName, operation: OperationID?, head: Digest) {
        self.host = host
        self.operation = operation
        self.head = head
    }

    /// What it came with, in words.
    package var origin: String { operation?.rawValue ?? "a gate" }
}

extension Ledger {
    /// Keeps what hosts witness of a run, also where it contradicts the record. What is kept already stays as it was.
    package func keep(_ witnesses: [Witness], of run: RunID, by user: String, at time: WallTime) throws(LedgerError) {
        try write("keep what hosts witness of the run \(run)") { db in
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

    /// The hash of each event of a run, and the event's sequence number.
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

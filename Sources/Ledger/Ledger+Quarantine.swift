import ContentDigest
import GRDB
import OperatorCommands
package import UpgradeDomain

/// A run whose record can no longer be followed, set aside by a person. Its events stay unchanged; only its hosts are
/// freed.
package struct Quarantine: Codable, Hashable, Sendable {
    package var run: RunID
    package var reason: String
    package var by: String
    package var at: WallTime
    /// Hosts that still belong to the run, because it is not known what happened there.
    package var claimed: [HostName]
    /// Hosts whose journals were read and show that nothing of the run is open there.
    package var settled: [HostName]
    /// Hosts that a person freed without an answer from them.
    package var abandoned: [HostName]
}

/// Why a host of a quarantined run is free again.
package enum HostFate: String, Sendable {
    /// Its journal was read, and nothing of the run is in progress there.
    case settled
    case abandoned
}

extension Ledger {
    /// The hosts that belong to a run.
    package func claimedHosts(of run: RunID) throws(LedgerError) -> [HostName] {
        try read("look up the hosts of the run \(run)") { db in try db.claimedHosts(of: run) }
    }

    /// Every event of a run that can be read, in order, even if it differs from what was recorded.
    package func readableEvents(of run: RunID) throws(LedgerError) -> [RunEvent] {
        try read("read the events of the run \(run)") { db in
            let rows = try Row.fetchCursor(
                db, sql: "SELECT payload FROM events WHERE run = ? ORDER BY sequence", arguments: [run.rawValue])
            var events: [RunEvent] = []
            while let row = try rows.next() {
                if let event = try? CanonicalJSON.stored(RunEvent.self, from: row.bytes("payload")) {
                    events.append(event)
                }
            }
            return events
        }
    }

    /// The quarantine state of a run; nil if the run is not quarantined.
    package func quarantine(of run: RunID) throws(LedgerError) -> Quarantine? {
        try read("look up the quarantine of the run \(run)") { db in
            _ = try db.existingRun(run)
            let row = try Row.fetchOne(db, sql: "SELECT * FROM quarantines WHERE run = ?", arguments: [run.rawValue])
            guard let row else { return nil }
            let freed = try Row.fetchAll(
                db, sql: "SELECT host, fate FROM quarantined_hosts WHERE run = ? ORDER BY host",
                arguments: [run.rawValue])
            func hosts(_ fate: HostFate) -> [HostName] {
                freed.filter { $0["fate"] as String == fate.rawValue }.map { $0.name("host") }
            }
            return Quarantine(
                run: run, reason: row["reason"], by: row["quarantined_by"],
                at: row.time("quarantined_at_milliseconds"), claimed: try db.claimedHosts(of: run),
                settled: hosts(.settled), abandoned: hosts(.abandoned))
        }
    }

    /// Quarantines a run permanently, and takes an epoch for asking its hosts. A run that is already quarantined stays
    /// so, with its original reason.
    ///
    /// - Throws: `leaseHeld`, which names the driver; `runClosed` if the run has ended.
    package func quarantine(
        _ run: RunID, reason: String, by user: String, machine: String, processID: Int32, at time: WallTime
    ) throws(LedgerError) -> Lease {
        try write("quarantine the run \(run)") { db in
            let row = try db.existingRun(run)
            if let last = try db.lastDriver(of: run), try LockFile.isHeld(at: lockPath(run, epoch: last.epoch)) {
                throw LedgerError(
                    .leaseHeld, "\(last.name) drives the run \(run) with epoch \(last.epoch). Nothing was recorded.",
                    next: .showLease(run: run), run: run)
            }
            if row.standing != .quarantined {
                _ = try db.openRun(run)
                try db.execute(
                    sql: """
                        INSERT INTO quarantines (run, reason, quarantined_by, quarantined_at_milliseconds)
                        VALUES (?, ?, ?, ?)
                        """, arguments: [run.rawValue, reason, user, time.milliseconds])
                try db.execute(sql: "UPDATE runs SET standing = 'quarantined' WHERE id = ?", arguments: [run.rawValue])
                try db.forgetOverview(of: run)
            }
            return try nextLease(db, on: run, user: user, machine: machine, processID: processID, at: time)
        }
    }

    /// Frees a host of a quarantined run.
    ///
    /// - Parameters:
    ///   - reason: why the host is abandoned.
    ///   - operations: what the host's journal says about the run.
    package func free(
        _ host: HostName, of run: RunID, as fate: HostFate, reason: String?,
        remembering operations: [ReconstructedOperation], by user: String, at time: WallTime
    ) throws(LedgerError) {
        let rows = try operations.map { operation throws(LedgerError) in
            (operation, try encode(operation, as: "reconstructed operation"))
        }
        try write("free \(host) of the run \(run)") { db in
            guard try db.existingRun(run).standing == .quarantined else {
                throw LedgerError(
                    .contradiction, "The run \(run) is not quarantined; nothing was recorded.", run: run)
            }
            try db.execute(
                sql: "DELETE FROM host_claims WHERE run = ? AND host = ?", arguments: [run.rawValue, host.rawValue])
            guard db.changesCount > 0 else { return }
            try db.execute(
                sql: """
                    INSERT INTO quarantined_hosts (run, host, fate, reason, freed_by, freed_at_milliseconds)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """, arguments: [run.rawValue, host.rawValue, fate.rawValue, reason, user, time.milliseconds])
            for (operation, document) in rows { try db.insert(operation, document, by: user, at: time) }
        }
    }
}

extension Database {
    fileprivate func claimedHosts(of run: RunID) throws -> [HostName] {
        try String.fetchAll(
            self, sql: "SELECT host FROM host_claims WHERE run = ? ORDER BY host", arguments: [run.rawValue]
        ).map { HostName($0) }
    }

    func insert(
        _ operation: ReconstructedOperation, _ document: [UInt8], by user: String, at time: WallTime
    ) throws {
        try execute(
            sql: """
                INSERT INTO reconstructed_operations
                    (host, operation, document, reconstructed_by, reconstructed_at_milliseconds)
                VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """,
            arguments: [
                operation.host.rawValue, operation.operation.rawValue, document.data, user, time.milliseconds,
            ])
    }
}

import ContentDigest
import GRDB
package import UpgradeDomain

extension Ledger {
    /// Deletes the raw evidence of a run that never changes again, except for evidence that another run cites, and
    /// records that in the run's own chain. Its events, and so all its verdicts, stay unchanged.
    ///
    /// - Parameter follower: Its state is at the run's last event, as in ``append``. Only pruning can still change the
    ///   run.
    /// - Throws: `contradiction` for a run that has not ended, is quarantined, or was pruned before.
    package func pruneEvidence(
        of run: RunID, by user: String, reason: String, at time: WallTime, followedBy follower: (any RunFollower)? = nil
    ) throws(LedgerError) -> EvidencePruning {
        var pruning = EvidencePruning(by: user, reason: reason, answers: 0, bytes: 0)
        return try write("prune the run \(run)") { db in
            let row = try db.existingRun(run)
            guard row.standing != .open, row.standing != .quarantined else {
                throw LedgerError(
                    .contradiction,
                    "The run \(run) is \(row.standing.word) and needs its evidence; nothing was deleted. Only a run "
                        + "that has ended can be pruned.", run: run)
            }
            var needed: Set<Digest> = []
            let readable = "SELECT id FROM runs WHERE standing <> 'quarantined'"
            for other in try String.fetchAll(db, sql: readable).map({ RunID($0) }) where other != run {
                if let cited = try db.citedEvidence(of: other) { needed.formUnion(cited) }
            }
            needed.formUnion(try db.digestsInQuarantine())
            guard let own = try db.citedEvidence(of: run) else {
                throw LedgerError(
                    .contradiction, "The evidence of the run \(run) was pruned before; nothing was deleted.", run: run)
            }
            for digest in own.subtracting(needed) {
                let bytes = try Int64.fetchOne(
                    db, sql: "SELECT length(bytes) FROM blobs WHERE digest = ?", arguments: [digest.rawValue])
                guard let bytes else { continue }
                try db.execute(sql: "DELETE FROM blobs WHERE digest = ?", arguments: [digest.rawValue])
                pruning.answers += 1
                pruning.bytes += bytes
            }
            _ = try db.append(
                PreparedEvent.prepare([.evidencePruned(pruning)], for: run), to: run, after: row.head, at: time,
                followedBy: follower)
            return pruning
        }
    }
}

extension Database {
    /// The digests that a run's events refer to; nil if its evidence was pruned.
    fileprivate func citedEvidence(of run: RunID) throws -> Set<Digest>? {
        let rows = try Row.fetchCursor(
            self, sql: "SELECT * FROM events WHERE run = ? ORDER BY sequence", arguments: [run.rawValue])
        var cited: Set<Digest> = []
        while let row = try rows.next() {
            let event = try RecordedEvent(row: row, run: run).event
            if case .evidencePruned = event { return nil }
            cited.formUnion(event.citedEvidence)
        }
        return cited
    }

    /// Everything that looks like a digest in the events of quarantined runs, because some of these events cannot be
    /// read.
    fileprivate func digestsInQuarantine() throws -> Set<Digest> {
        let rows = try Row.fetchCursor(
            self,
            sql: """
                SELECT payload FROM events JOIN runs ON runs.id = events.run WHERE runs.standing = 'quarantined'
                """)
        var found: Set<Digest> = []
        while let row = try rows.next() {
            let text = String(decoding: row.bytes("payload"), as: UTF8.self)
            for match in text.matches(of: /sha256:[0-9a-f]{64}/) { found.insert(Digest(String(match.0))) }
        }
        return found
    }
}

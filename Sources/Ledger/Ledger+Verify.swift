import ContentDigest
import GRDB
import SafeText
package import UpgradeDomain

extension Ledger {
    /// Recomputes every hash from the stored bytes, and every cached value from the events.
    ///
    /// Reads one consistent state, while other processes go on writing. Checking 100,000 events takes seconds.
    ///
    /// - Parameters:
    ///   - run: Only this run; nil checks all runs, the file, the schema and the documents.
    ///   - follower: makes a follower in the state before a run's first event; with it, the overviews are compared as
    ///     well.
    package func verify(
        run: RunID? = nil, followedBy follower: (@Sendable () -> any RunFollower)? = nil
    ) throws(LedgerError) -> Verification {
        let expectedSchema = try Ledger.expectedSchema()
        return try read("be verified") { db in
            if let damage = try db.fileDamage() { return Verification(chains: [], faults: [damage]) }
            let foundSchema = try db.schemaObjects()
            var faults = Database.schemaFaults(expected: expectedSchema, found: foundSchema)
            // Rows can be read safely only from tables that have the expected columns.
            guard expectedSchema.allSatisfy({ !$0.key.begins(with: "table ") || foundSchema[$0.key] == $0.value })
            else {
                return Verification(chains: [], faults: faults)
            }
            if let run {
                _ = try db.existingRun(run)
            } else {
                faults += try db.documentFaults(table: "plans") + db.documentFaults(table: "inventories")
                faults += try db.statementFaults()
            }
            let runs =
                try run.map { [$0] }
                ?? String.fetchAll(db, sql: "SELECT id FROM runs ORDER BY number").map { RunID($0) }
            let chains = try runs.map { run in
                var check = ChainCheck(run: run, ledger: id, follower: follower?())
                try check.walk(db)
                var verdict = check.verdict
                let standing = try db.existingRun(run).standing
                (verdict.isOpen, verdict.isQuarantined) = (standing == .open, standing == .quarantined)
                return verdict
            }
            return Verification(chains: chains, faults: faults)
        }
    }

    /// The schema objects of a fresh ledger, by kind and name.
    private static func expectedSchema() throws(LedgerError) -> [String: String] {
        do {
            return try Schema.untouched.get().read { db in try db.schemaObjects() }
        } catch {
            throw LedgerError(error, purpose: "be verified", path: ":memory:")
        }
    }
}

extension Database {
    fileprivate func schemaObjects() throws -> [String: String] {
        let rows = try Row.fetchAll(
            self, sql: "SELECT type || ' ' || name AS name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return Dictionary(rows.map { ($0["name"] as String, $0["sql"] as String) }) { first, _ in first }
    }

    fileprivate func fileDamage() throws -> LedgerFault? {
        let report = try String.fetchOne(self, sql: "PRAGMA quick_check(1)") ?? "no answer"
        guard report != "ok" else { return nil }
        return LedgerFault(code: .fileDamaged, message: "SQLite finds the file damaged: \(report)")
    }

    fileprivate static func schemaFaults(expected: [String: String], found: [String: String]) -> [LedgerFault] {
        Set(expected.keys).union(found.keys).sorted().compactMap { name in
            switch (expected[name], found[name]) {
            case (nil, _): LedgerFault(code: .schemaChanged, message: "the \(name) is not Lockflight's")
            case (_, nil): LedgerFault(code: .schemaChanged, message: "the \(name) is missing")
            case (let expected?, let found?):
                expected == found
                    ? nil : LedgerFault(code: .schemaChanged, message: "the \(name) differs from Lockflight's own")
            }
        }
    }

    fileprivate func documentFaults(table: String) throws -> [LedgerFault] {
        let rows = try Row.fetchCursor(self, sql: "SELECT digest, document FROM \(table) ORDER BY rowid")
        var faults: [LedgerFault] = []
        while let row = try rows.next() {
            let digest: Digest = row.name("digest")
            guard Digest.sha256(of: row.bytes("document")) != digest else { continue }
            faults.append(
                LedgerFault(
                    code: .documentChanged,
                    message: "a document in \(table) does not match its digest \(digest.short)"))
        }
        return faults
    }
}

/// One pass along a run's chain that collects what the events say.
private struct ChainCheck {
    let run: RunID
    let ledger: LedgerID
    private var proven = EventChain.Head.beforeFirst
    private var faults: [LedgerFault] = []
    private var definition: RunDefinition?
    private var digests: DefinitionDigests?
    private var standing = RunStanding.open
    private var attachedEpochs: [Epoch] = []
    private var evidence: [Digest: UInt64] = [:]
    /// Raw answers were deleted on purpose. The remaining ones must still match their digests.
    private var isPruned = false
    private var follower: (any RunFollower)?

    init(run: RunID, ledger: LedgerID, follower: (any RunFollower)?) {
        self.run = run
        self.ledger = ledger
        self.follower = follower
    }

    var verdict: ChainVerdict {
        ChainVerdict(run: run, provenSequence: proven.sequence, provenHash: proven.hash, faults: faults)
    }

    mutating func walk(_ db: Database) throws {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT * FROM events WHERE run = ? ORDER BY sequence", arguments: [run.rawValue])
        while faults.isEmpty, let row = try rows.next() { try visit(row) }
        // The events' content is trusted only when all of them are verified.
        guard faults.isEmpty else { return }
        try compareHead(db)
        guard faults.isEmpty else { return }
        try compareDefinition(db)
        try compareProjections(db)
        try compareEvidence(db)
        try compareOverview(db)
    }

    private mutating func visit(_ row: Row) throws {
        let sequence = row.unsigned("sequence")
        let payload = row.bytes("payload")
        let expected = proven.sequence + 1
        guard sequence == expected else {
            return report(.eventMissing, expected, "event \(expected) is missing; the next one is \(sequence)")
        }
        let link = EventChain.Link(
            kind: row["kind"], payloadDigest: Digest.sha256(of: payload), previousHash: row.name("previous_hash"),
            recordedAtMilliseconds: row["recorded_at_milliseconds"], run: run, sequence: sequence,
            version: row["version"])
        guard link.previousHash == proven.hash else {
            return report(
                .eventUnlinked, sequence,
                "event \(sequence) does not follow event \(proven.sequence): one of them was "
                    + "replaced, moved or inserted")
        }
        let hash: Digest = row.name("hash")
        guard try link.hash() == hash else {
            return report(
                .eventChanged, sequence,
                "event \(sequence) does not match its hash: its payload, kind, version, time "
                    + "or hash was edited")
        }
        do {
            let recorded = try RecordedEvent(row: row, run: run)
            guard recorded.event.kind == link.kind else {
                return report(
                    .eventUnreadable, sequence,
                    "event \(sequence) is called '\(link.kind)' and holds "
                        + "'\(recorded.event.kind)'")
            }
            gather(recorded)
            if sequence == 1 { digests = DefinitionDigests(payload: payload) }
            follower?.take(recorded)
        } catch {
            return report(.eventUnreadable, sequence, "event \(sequence) can not be read: \(error.documentWords)")
        }
        proven = EventChain.Head(sequence: sequence, hash: hash)
    }

    private mutating func gather(_ recorded: RecordedEvent) {
        if let closing = recorded.event.closing { standing = closing }
        switch recorded.event {
        case .runStarted(let started): definition = recorded.sequence == 1 ? started : definition
        case .driverAttached(let driver): attachedEpochs.append(driver.epoch)
        case .captured(let record):
            for digest in record.capture.surfaces.compactMap(\.rawDigest) { evidence[digest] = recorded.sequence }
        case .driverDetached, .requested, .preflightRecorded, .operationIntended, .operationWithdrawn,
            .operationStarted, .operationUncertain, .operationEnded, .operationTombstoned, .operationConfirmed,
            .operationReverted, .placementSoaked,
            .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited:
            break
        case .evidencePruned: isPruned = true
        }
    }

    private mutating func compareHead(_ db: Database) throws {
        let head = try db.existingRun(run).head
        if head.sequence > proven.sequence {
            report(
                .headDiffers, proven.sequence + 1,
                "the events end at \(proven.sequence), and the run had "
                    + "\(head.sequence): the last ones were deleted")
        } else if head != proven {
            report(
                .headDiffers, proven.sequence,
                "the run's row says that event \(head.sequence) is the last, with the "
                    + "hash \(head.hash.short); the events end at \(proven.sequence) with \(proven.hash.short)")
        }
    }

    private mutating func compareDefinition(_ db: Database) throws {
        guard let definition else {
            return report(.eventUnreadable, 1, "the first event does not define the run")
        }
        let row = try Row.fetchOne(
            db, sql: "SELECT plan_digest, definition_digest FROM runs WHERE id = ?", arguments: [run.rawValue])
        if definition.run != run || definition.ledger != ledger {
            report(
                .projectionDiffers, 1,
                "the first event defines the run \(definition.run) of the ledger "
                    + "\(definition.ledger)")
        }
        if row?.name("definition_digest") != digests?.definition || row?.name("plan_digest") != definition.planDigest
            || digests?.plan != definition.planDigest || digests?.hosts != definition.hostsDigest
        {
            report(.projectionDiffers, 1, "the run's digests are not those of its definition")
        }
    }

    private mutating func compareProjections(_ db: Database) throws {
        let stored = try db.existingRun(run).standing
        if stored != standing {
            report(.projectionDiffers, nil, "the run is stored as \(stored.word), but its events say \(standing.word)")
        }
        let claimed = Set(
            try String.fetchAll(db, sql: "SELECT host FROM host_claims WHERE run = ?", arguments: [run.rawValue]))
        let due: Set<String> = standing == .open ? Set(definition?.hosts.map(\.name.rawValue) ?? []) : []
        for host in claimed.symmetricDifference(due).sorted() {
            report(
                .projectionDiffers, nil,
                due.contains(host)
                    ? "the host \(host) is not claimed by the run, but its events say that it is"
                    : "the host \(host) is claimed by the run, but its events do not say so")
        }
        let leased = Set(
            try Int64.fetchAll(db, sql: "SELECT epoch FROM leases WHERE run = ?", arguments: [run.rawValue]))
        for epoch in attachedEpochs where !leased.contains(Int64(epoch.number)) {
            report(.projectionDiffers, nil, "a driver attached with epoch \(epoch), which has no lease")
        }
    }

    private mutating func compareEvidence(_ db: Database) throws {
        let statement = try db.cachedStatement(sql: "SELECT bytes FROM blobs WHERE digest = ?")
        for (digest, sequence) in evidence.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            guard let row = try Row.fetchOne(statement, arguments: [digest.rawValue]) else {
                if !isPruned {
                    report(
                        .evidenceMissing, sequence, "the evidence \(digest.short) of event \(sequence) is missing")
                }
                continue
            }
            if Digest.sha256(of: row.bytes("bytes")) != digest {
                report(
                    .evidenceChanged, sequence,
                    "the evidence \(digest.short) of event \(sequence) does not match its "
                        + "digest")
            }
        }
    }

    private mutating func compareOverview(_ db: Database) throws {
        guard let follower,
            let document = try db.overviewDocument(of: run, at: proven.sequence, build: follower.build)
        else { return }
        let due = try follower.change(whole: true)
        if due.document != document {
            report(.projectionDiffers, nil, "the overview of the run does not match its events")
        }
        let stored = Set(try db.placementOverviews(of: run))
        for own in Set(Set(due.placements).symmetricDifference(stored).map(\.placement)).sorted() {
            report(.projectionDiffers, nil, "the overview of \(own) does not match its events")
        }
    }

    private mutating func report(_ code: LedgerFault.Code, _ sequence: UInt64?, _ message: String) {
        faults.append(LedgerFault(code: code, sequence: sequence, message: message))
    }
}

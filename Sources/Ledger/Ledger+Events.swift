import ContentDigest
import FoundationEssentials
import GRDB
import OperatorCommands
import SafeText
package import UpgradeDomain

extension Ledger {
    /// Appends a group of events in one durable transaction, all or none, and returns the recorded events.
    ///
    /// Write an intent through this before its host is touched: when it returns, the intent survives power loss. Only
    /// requests may be appended without a lease. A `finalize` request closes the run and frees its hosts: the caller
    /// has asked the engine, at `expectedSequence`, whether the run may be finalized.
    ///
    /// - Parameter evidence: Raw answers and outputs, which the events refer to by digest. What is already stored is
    ///   kept.
    /// - Parameter expectedSequence: The head that the caller decided from; 0 never matches, because a run starts with
    ///   an event.
    /// - Parameter lease: The epoch of the caller's lease; nil appends as an operator without one.
    /// - Parameter follower: Its state is at `expectedSequence`, and it supplies the new overview. Without it there is
    ///   no overview until the next append that has one.
    /// - Throws: `conflict` if another process appended: read the new events and decide again. `deposed` if another
    ///   driver has a higher epoch: stop. `commitUnknown`: stop, reopen and read the head.
    package func append(
        _ events: [RunEvent], with evidence: [[UInt8]] = [], to run: RunID, after expectedSequence: UInt64,
        lease: Epoch?, at time: WallTime, followedBy follower: (any RunFollower)? = nil
    ) throws(LedgerError) -> [RecordedEvent] {
        try checkPermitted(events, run: run, lease: lease)
        let prepared = try PreparedEvent.prepare(events, for: run)
        let kept = try KeptEvidence(evidence)
        return try write("record \(counted(events.count, "event")) of the run \(run)") { db in
            let row = try db.existingRun(run)
            // Check this first. Otherwise a deposed driver would read forever in a run that was closed without an
            // event.
            if let lease { try db.refuseWhenDeposed(lease, run: run) }
            try row.requireOpen()
            try row.expectHead(expectedSequence)
            try db.keep(kept, at: time)
            return try db.append(prepared, to: run, after: row.head, at: time, followedBy: follower)
        }
    }

    private func checkPermitted(_ events: [RunEvent], run: RunID, lease: Epoch?) throws(LedgerError) {
        if lease == nil, let first = events.first(where: \.needsLease) {
            throw LedgerError(
                .leaseRequired,
                "Only the driver of the run \(run) may record '\(first.kind)'; nothing was recorded.",
                next: .resume(run: run), run: run)
        }
        for (index, event) in events.enumerated() {
            let isLast = index == events.count - 1
            let isAllowed =
                switch (event, event.closing) {
                case (.runStarted, _): false
                case (_, nil): true
                case (_, .finalized), (_, .cancelled): isLast
                case (_, .superseded), (_, .quarantined), (_, .open): false
                }
            guard isAllowed else {
                throw LedgerError(
                    .contradiction,
                    "The event '\(event.kind)' can not be recorded there: a run is started and "
                        + "superseded only by starting a run, and nothing follows 'finalize' or 'cancel'. Nothing was recorded.",
                    run: run)
            }
        }
    }

    /// The events of a run after a sequence number (0 for all), in order, at most `limit` of them.
    package func events(
        of run: RunID, after sequence: UInt64 = 0, limit: Int = LedgerLimits.eventsPerRead
    ) throws(LedgerError) -> [RecordedEvent] {
        try read("read the events of the run \(run)") { db in
            _ = try db.existingRun(run)
            let statement = try db.cachedStatement(
                sql: """
                    SELECT sequence, version, payload, recorded_at_milliseconds, hash FROM events
                    WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT ?
                    """)
            let bound = Int64(clamping: sequence)
            let rows = try Row.fetchCursor(
                statement, arguments: [run.rawValue, bound, max(0, min(limit, LedgerLimits.eventsPerRead))])
            var events: [RecordedEvent] = []
            while let row = try rows.next() { events.append(try RecordedEvent(row: row, run: run)) }
            return events
        }
    }

    /// Every event of a run after a sequence number, read in pages.
    package func allEvents(of run: RunID, after sequence: UInt64 = 0) throws(LedgerError) -> [RecordedEvent] {
        var all: [RecordedEvent] = []
        while true {
            let piece = try events(of: run, after: all.last?.sequence ?? sequence)
            all += piece
            if piece.count < LedgerLimits.eventsPerRead { return all }
        }
    }

    /// When a driver last recorded an event of a run; nil if none has.
    package func lastDrivenAt(_ run: RunID) throws(LedgerError) -> WallTime? {
        try read("look up the last event of the run \(run)") { db in
            try Int64.fetchOne(
                db,
                sql: """
                    SELECT recorded_at_milliseconds FROM events WHERE run = ? AND kind <> 'requested'
                    ORDER BY sequence DESC LIMIT 1
                    """,
                arguments: [run.rawValue]
            ).map { WallTime(clamping: $0) }
        }
    }

    /// The sequence number of a run's last event.
    package func headSequence(of run: RunID) throws(LedgerError) -> UInt64 {
        try read("read the head of the run \(run)") { db in try db.existingRun(run).head.sequence }
    }
}

/// An event with its payload encoded, outside of any transaction.
struct PreparedEvent {
    var event: RunEvent
    var payload: [UInt8]
    var payloadDigest: Digest

    static func prepare(_ events: [RunEvent], for run: RunID) throws(LedgerError) -> [PreparedEvent] {
        guard (1...LedgerLimits.eventsPerAppend).contains(events.count) else {
            throw LedgerError(
                .tooLarge,
                "One append to the run \(run) holds 1 to \(LedgerLimits.eventsPerAppend) events, not "
                    + "\(events.count); nothing was recorded.", run: run)
        }
        var prepared: [PreparedEvent] = []
        var totalBytes = 0
        for event in events {
            let payload = try LedgerError.canonicalBytes(of: event, as: "event '\(event.kind)'")
            totalBytes += payload.count
            guard payload.count <= LedgerLimits.eventBytes, totalBytes <= LedgerLimits.appendBytes else {
                throw LedgerError(
                    .tooLarge,
                    "The event '\(event.kind)' of the run \(run) has \(counted(payload.count, "byte")); at most "
                        + "\(LedgerLimits.eventBytes) an event and \(LedgerLimits.appendBytes) an append are "
                        + "recorded. Nothing was recorded.", run: run)
            }
            prepared.append(
                PreparedEvent(event: event, payload: payload, payloadDigest: Digest.sha256(of: payload)))
        }
        return prepared
    }
}

extension Database {
    /// Links events to the chain and updates the run's projections, within the caller's transaction.
    func append(
        _ events: [PreparedEvent], to run: RunID, after before: EventChain.Head, at time: WallTime,
        followedBy follower: (any RunFollower)?
    ) throws -> [RecordedEvent] {
        let insert = try cachedStatement(
            sql: """
                INSERT INTO events
                    (run, sequence, version, kind, payload, recorded_at_milliseconds, previous_hash, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """)
        var head = before
        var recorded: [RecordedEvent] = []
        for prepared in events {
            let link = EventChain.Link(
                kind: prepared.event.kind, payloadDigest: prepared.payloadDigest, previousHash: head.hash,
                recordedAtMilliseconds: time.milliseconds, run: run, sequence: head.sequence + 1,
                version: EventChain.eventVersion)
            let hash = try link.hash()
            try insert.execute(arguments: [
                run.rawValue, Int64(link.sequence), link.version, link.kind, prepared.payload.data,
                link.recordedAtMilliseconds, link.previousHash.rawValue, hash.rawValue,
            ])
            head = EventChain.Head(sequence: link.sequence, hash: hash)
            recorded.append(
                RecordedEvent(sequence: link.sequence, recordedAt: time, event: prepared.event, hash: hash))
        }
        try cachedStatement(sql: "UPDATE runs SET head_sequence = ?, head_hash = ? WHERE id = ?")
            .execute(arguments: [Int64(head.sequence), head.hash.rawValue, run.rawValue])
        if let standing = events.last?.event.closing { try close(run, as: standing) }
        if let follower {
            try keepOverview(of: run, from: before.sequence, to: head.sequence, recorded, by: follower)
        }
        return recorded
    }

    private func close(_ run: RunID, as standing: RunStanding) throws {
        try execute(
            sql: "UPDATE runs SET standing = ?, successor = ? WHERE id = ?",
            arguments: [standing.word, standing.successor?.rawValue, run.rawValue])
        try execute(sql: "DELETE FROM host_claims WHERE run = ?", arguments: [run.rawValue])
    }
}

extension RecordedEvent {
    init(row: Row, run: RunID) throws {
        let sequence = row.unsigned("sequence")
        let version = row["version"] as Int64
        guard version <= EventChain.eventVersion else {
            throw LedgerError(
                .newerSchema,
                "Event \(sequence) of the run \(run) has the newer format \(version); use the "
                    + "Lockflight that wrote it.", run: run)
        }
        let event: RunEvent
        do {
            event = try CanonicalJSON.stored(RunEvent.self, from: row.bytes("payload"))
        } catch {
            throw LedgerError(
                .damaged,
                "Event \(sequence) of the run \(run) is unreadable, so the run can not go on; see what else is damaged.",
                next: .verifyLedger(file: nil), run: run, cause: "\(error)")
        }
        self.init(
            sequence: sequence, recordedAt: row.time("recorded_at_milliseconds"), event: event, hash: row.name("hash"))
    }
}

extension [UInt8] {
    var data: Data { Data(self) }
}

extension Ledger {
    /// The raw evidence with a digest; nil if it was never stored.
    package func blob(_ digest: Digest) throws(LedgerError) -> [UInt8]? {
        try read("read the evidence \(digest.short)") { db in
            try Row.fetchOne(db, sql: "SELECT bytes FROM blobs WHERE digest = ?", arguments: [digest.rawValue])?
                .bytes("bytes")
        }
    }
}

/// Raw evidence with its digests, computed outside of any transaction.
struct KeptEvidence {
    fileprivate let blobs: [(digest: Digest, bytes: [UInt8])]

    init(_ evidence: [[UInt8]]) throws(LedgerError) {
        if let large = evidence.first(where: { $0.count > LedgerLimits.blobBytes }) {
            throw LedgerError(
                .tooLarge,
                "A piece of evidence has \(counted(large.count, "byte")), more than the limit of "
                    + "\(LedgerLimits.blobBytes); nothing was recorded.")
        }
        let bytes = evidence.reduce(0) { $0 + $1.count }
        guard bytes <= LedgerLimits.evidenceBytes else {
            throw LedgerError(
                .tooLarge,
                "One call keeps at most \(LedgerLimits.evidenceBytes) bytes of evidence, not \(bytes); nothing was recorded."
            )
        }
        blobs = evidence.map { (Digest.sha256(of: $0), $0) }
    }
}

extension Database {
    /// Stores raw evidence within the caller's transaction, so that there is never an event without its evidence, or
    /// the reverse.
    func keep(_ evidence: KeptEvidence, at time: WallTime) throws {
        guard !evidence.blobs.isEmpty else { return }
        let insert = try cachedStatement(
            sql: """
                INSERT INTO blobs (digest, bytes, stored_at_milliseconds) VALUES (?, ?, ?)
                ON CONFLICT (digest) DO NOTHING
                """)
        for blob in evidence.blobs {
            try insert.execute(arguments: [blob.digest.rawValue, blob.bytes.data, time.milliseconds])
        }
    }
}

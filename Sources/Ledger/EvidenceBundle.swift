import ContentDigest
import FoundationEssentials
import GRDB
package import UpgradeDomain

/// Everything recorded about one run, in one document that can be verified without the ledger it came from.
package struct EvidenceBundle: Codable, Hashable, Sendable {
    package static let currentFormat = "lockflight-evidence-3"
    /// In this format the conclusions still listed a placement as repaired by hand after it had changed again, and did
    /// not always compare evidence with the capture that had judged it.
    package static let formatWithLastingRepairs = "lockflight-evidence-2"
    /// In this format the conclusions included suggested next commands, which nothing proves.
    package static let formatWithAdvice = "lockflight-evidence-1"
    /// The largest file that is written or read.
    package static let maximumBytes = 1 << 30

    /// One link of the chain, as the ledger stores it.
    package struct Event: Codable, Hashable, Sendable {
        package var sequence: UInt64
        package var recordedAtMilliseconds: Int64
        package var kind: String
        package var version: Int64
        package var previousHash: Digest
        package var hash: Digest
        /// The stored bytes: canonical JSON.
        package var payload: String
    }

    /// Raw evidence or an operation's output.
    package struct Blob: Codable, Hashable, Sendable {
        package var digest: Digest
        /// The bytes as text if they are valid UTF-8, else base64.
        package var text: String?
        package var base64: String?

        init(_ bytes: [UInt8], digest: Digest) {
            self.digest = digest
            if let text = String(validating: bytes, as: UTF8.self) {
                self.text = text
            } else {
                base64 = Data(bytes).base64EncodedString()
            }
        }

        var bytes: [UInt8]? {
            text.map { Array($0.utf8) } ?? base64.flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) }
        }
    }

    package var format: String
    /// The program that wrote it, such as `lockflight 0.1.0`.
    package var tool: String
    package var run: RunID
    package var ledger: LedgerID
    package var events: [Event]
    package var blobs: [Blob]
    /// The heads of the chain that hosts keep as witnesses; nil if no host was asked.
    package var witnesses: [Witness]?
    /// What the writer concluded from the events. A reader draws the conclusions again.
    package var conclusions: JSONValue

    /// The first thing in a bundle that is not valid.
    package struct Fault: Error, Hashable, Sendable {
        /// Where: `the format`, `event 12`, `the evidence 4f2c…`.
        package var place: String
        package var message: String

        package init(_ place: String, _ message: String) {
            self.place = place
            self.message = message
        }
    }

    /// Verifies the chain and the digests of the plan, hosts, approvals and evidence.
    ///
    /// This cannot distinguish a completely forged bundle from a real one. For that, compare the chain's head with the
    /// agents' journals.
    /// - Returns: The events, each of them verified.
    package func prove() throws(Fault) -> [RecordedEvent] {
        guard
            [
                EvidenceBundle.currentFormat, EvidenceBundle.formatWithLastingRepairs, EvidenceBundle.formatWithAdvice,
            ].contains(format)
        else {
            throw Fault("the format", "it is '\(format)', and this build reads '\(EvidenceBundle.currentFormat)'")
        }
        var proven = EventChain.Head.beforeFirst
        var recorded: [RecordedEvent] = []
        for event in events {
            recorded.append(try event.proven(after: proven, run: run))
            proven = EventChain.Head(sequence: event.sequence, hash: event.hash)
        }
        try proveDefinition(recorded)
        try proveEvidence(recorded)
        let hashes = Set(recorded.map(\.hash))
        if let witness = witnesses?.first(where: { !hashes.contains($0.head) }) {
            throw Fault(
                "the witness \(witness.host)",
                "it keeps the head \(witness.head.short) of \(witness.origin), which matches no event")
        }
        return recorded
    }

    private func proveDefinition(_ events: [RecordedEvent]) throws(Fault) {
        guard case .runStarted(let definition)? = events.first?.event else {
            throw Fault("event 1", "it does not define the run")
        }
        guard definition.run == run, definition.ledger == ledger else {
            throw Fault("event 1", "it defines the run \(definition.run) of the ledger \(definition.ledger)")
        }
        let digests = self.events.first.flatMap { DefinitionDigests(payload: Array($0.payload.utf8)) }
        guard digests?.plan == definition.planDigest else {
            throw Fault("the plan", "it does not have the digest \(definition.planDigest.short) that was approved")
        }
        guard digests?.hosts == definition.hostsDigest else {
            throw Fault("the hosts", "they do not have the digest \(definition.hostsDigest.short) that was approved")
        }
        // Signed statements, and those that a run waited for, are proved with the events that needed them.
        if definition.authority == nil, definition.plan.holdPoints == nil, let layer = definition.unapprovedLayers.first
        {
            throw Fault("layer \(layer)", "no owner approved this plan over these hosts")
        }
    }

    private func proveEvidence(_ events: [RecordedEvent]) throws(Fault) {
        var held: Set<Digest> = []
        for blob in blobs {
            guard let bytes = blob.bytes, Digest.sha256(of: bytes) == blob.digest else {
                throw Fault("the evidence \(blob.digest.short)", "its bytes do not match its digest")
            }
            held.insert(blob.digest)
        }
        let isPruned = events.contains { if case .evidencePruned = $0.event { true } else { false } }
        var cited: Set<Digest> = []
        for event in events {
            for digest in event.event.citedEvidence {
                cited.insert(digest)
                if case .captured = event.event, !held.contains(digest), !isPruned {
                    throw Fault("event \(event.sequence)", "its evidence \(digest.short) is missing")
                }
            }
        }
        if let stray = held.subtracting(cited).sorted().first {
            throw Fault("the evidence \(stray.short)", "no event refers to it")
        }
    }
}

extension EvidenceBundle.Event {
    fileprivate func proven(after previous: EventChain.Head, run: RunID) throws(EvidenceBundle.Fault) -> RecordedEvent {
        let place = "event \(sequence)"
        guard sequence == previous.sequence + 1 else {
            throw EvidenceBundle.Fault("event \(previous.sequence + 1)", "it is missing; the next one is \(sequence)")
        }
        guard previousHash == previous.hash else {
            throw EvidenceBundle.Fault(place, "it does not follow event \(previous.sequence)")
        }
        let bytes = Array(payload.utf8)
        let link = EventChain.Link(
            kind: kind, payloadDigest: Digest.sha256(of: bytes), previousHash: previousHash,
            recordedAtMilliseconds: recordedAtMilliseconds, run: run, sequence: sequence, version: version)
        guard (try? link.hash()) == hash else {
            throw EvidenceBundle.Fault(place, "it does not match its hash: it was edited")
        }
        guard version <= EventChain.eventVersion, let event = try? CanonicalJSON.stored(RunEvent.self, from: bytes),
            event.kind == kind
        else { throw EvidenceBundle.Fault(place, "this build can not read its format \(version)") }
        return RecordedEvent(
            sequence: sequence, recordedAt: WallTime(clamping: recordedAtMilliseconds), event: event, hash: hash)
    }
}

extension RunEvent {
    /// The digests of the raw bytes that the bundle refers to.
    var citedEvidence: [Digest] {
        switch self {
        case .captured(let record): record.capture.surfaces.compactMap(\.rawDigest)
        case .operationEnded(let record), .operationReverted(_, let record): [record.outputDigest].compactMap { $0 }
        case .runStarted, .driverAttached, .driverDetached, .requested, .preflightRecorded, .operationIntended,
            .operationWithdrawn, .operationStarted, .operationUncertain, .operationTombstoned, .operationConfirmed,
            .placementSoaked,
            .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited, .evidencePruned:
            []
        }
    }
}

extension Ledger {
    /// The chain of one run with the raw bytes that its events refer to, read in one consistent state.
    /// - Parameter conclusions: what the events mean, from their fold.
    package func bundle(
        of run: RunID, tool: String, conclusions: ([RecordedEvent]) -> JSONValue
    ) throws(LedgerError) -> EvidenceBundle {
        try read("bundle the run \(run)") { db in
            _ = try db.existingRun(run)
            let rows = try Row.fetchCursor(
                db, sql: "SELECT * FROM events WHERE run = ? ORDER BY sequence", arguments: [run.rawValue])
            var events: [EvidenceBundle.Event] = []
            var recorded: [RecordedEvent] = []
            var blobs: [EvidenceBundle.Blob] = []
            var seen: Set<Digest> = []
            let statement = try db.cachedStatement(sql: "SELECT bytes FROM blobs WHERE digest = ?")
            while let row = try rows.next() {
                let event = try RecordedEvent(row: row, run: run)
                recorded.append(event)
                events.append(
                    EvidenceBundle.Event(
                        sequence: event.sequence, recordedAtMilliseconds: event.recordedAt.milliseconds,
                        kind: row["kind"], version: row["version"], previousHash: row.name("previous_hash"),
                        hash: event.hash, payload: String(decoding: row.bytes("payload"), as: UTF8.self)))
                for digest in event.event.citedEvidence where seen.insert(digest).inserted {
                    guard let bytes = try Row.fetchOne(statement, arguments: [digest.rawValue])?.bytes("bytes") else {
                        continue
                    }
                    blobs.append(EvidenceBundle.Blob(bytes, digest: digest))
                }
            }
            let witnesses = try db.witnesses(of: run)
            return EvidenceBundle(
                format: EvidenceBundle.currentFormat, tool: tool, run: run, ledger: id, events: events, blobs: blobs,
                witnesses: witnesses.isEmpty ? nil : witnesses, conclusions: conclusions(recorded))
        }
    }
}

import ContentDigest
import GRDB
import OperatorCommands
import SafeText
package import UpgradeDomain

/// A summary of a run, from the ledger's own columns. What the run is doing now is folded from its events.
package struct RunSummary: Hashable, Sendable {
    package var id: RunID
    package var planDigest: Digest
    package var planName: String
    package var startedAt: WallTime
    package var standing: RunStanding
    /// The last event's sequence number and hash.
    package var headSequence: UInt64
    package var headHash: Digest
}

/// Whether a run may still change.
package enum RunStanding: Hashable, Sendable {
    case open
    case finalized
    /// It ended before it changed anything.
    case cancelled
    case superseded(by: RunID)
    /// Its record cannot be followed. It is kept unchanged, and nothing is ever appended to it.
    case quarantined

    var word: String {
        switch self {
        case .open: "open"
        case .finalized: "finalized"
        case .cancelled: "cancelled"
        case .quarantined: "quarantined"
        case .superseded: "superseded"
        }
    }

    var successor: RunID? {
        switch self {
        case .open, .finalized, .cancelled, .quarantined: nil
        case .superseded(let successor): successor
        }
    }
}

extension Ledger {
    /// The open run to which the first of these hosts belongs that belongs to one; nil if all of them are free.
    package func holder(ofOneOf hosts: [HostName]) throws(LedgerError) -> RunID? {
        try read("look up whose hosts they are") { db in
            for host in hosts {
                let owner = try String.fetchOne(
                    db.cachedStatement(sql: "SELECT run FROM host_claims WHERE host = ?"), arguments: [host.rawValue])
                if let owner { return RunID(owner) }
            }
            return nil
        }
    }
}

extension Ledger {
    /// Starts a run in one transaction: its row, its first event and its claim on every host.
    ///
    /// With `definition.succession` the predecessor is superseded in the same transaction: it gets a last event, and
    /// its hosts become free for this run. `predecessorSequence` is the predecessor's head that the succession was
    /// computed from. Nothing may have happened there since.
    ///
    /// - Parameters:
    ///   - predecessorFollower: Its state is at the predecessor's head, as in ``append``. The new run has no overview
    ///     before its driver's first event.
    ///   - runs: the runs of this plan with their heads, from which its approvals were found unused. Nothing may have
    ///     happened in them since; nil if this was not checked.
    /// - Throws: `hostClaimed` names the run that has a host and how to resolve that; `conflict` if the predecessor or
    ///   another run of the plan has new events; `contradiction` if the definition is inconsistent with itself or with
    ///   this ledger.
    package func startRun(
        _ definition: RunDefinition, after predecessorSequence: UInt64? = nil, by user: String, at time: WallTime,
        predecessorFollowedBy predecessorFollower: (any RunFollower)? = nil, judgedBy runs: [RunID: UInt64]? = nil
    ) throws(LedgerError) -> [RecordedEvent] {
        let run = definition.run
        try check(definition, predecessorSequence: predecessorSequence)
        let definitionDigest = try LedgerError.digest(of: definition, as: "definition")
        let started = try PreparedEvent.prepare([.runStarted(definition)], for: run)
        let superseded = try PreparedEvent.prepare(
            [.requested(Request(action: .supersede(by: run), by: user))], for: run)
        return try write("start the run \(run)") { db in
            guard try db.hasPlan(definition.planDigest) else { throw LedgerError.unknownPlan(definition.planDigest) }
            guard try db.run(run) == nil else {
                throw LedgerError(.contradiction, "The run \(run) already exists; nothing was recorded.", run: run)
            }
            let isStale = try runs.map { try db.heads(ofRunsOf: definition.planDigest) != $0 } ?? false
            try db.execute(
                sql: """
                    INSERT INTO runs (id, plan_digest, definition_digest, started_at_milliseconds, standing,
                        head_sequence, head_hash) VALUES (?, ?, ?, ?, 'open', 0, ?)
                    """,
                arguments: [
                    run.rawValue, definition.planDigest.rawValue, definitionDigest.rawValue, time.milliseconds,
                    EventChain.origin.rawValue,
                ])
            if let predecessor = definition.succession?.predecessor {
                let row = try db.openRun(predecessor)
                try row.expectHead(predecessorSequence ?? 0)
                _ = try db.append(
                    superseded, to: predecessor, after: row.head, at: time, followedBy: predecessorFollower)
            }
            try db.claim(definition.hosts.map(\.name), for: run)
            guard !isStale else {
                throw LedgerError(
                    .conflict,
                    "Another run of this plan continued while its approvals were checked, so nothing was recorded; "
                        + "start again."
                )
            }
            let policies = try Int.fetchOne(db, sql: "SELECT count(*) FROM policies") ?? 0
            guard policies == definition.authority?.policies.count ?? 0 else {
                throw LedgerError(
                    .conflict,
                    "The policy was changed while the approvals were checked, so nothing was recorded; start again.")
            }
            return try db.append(started, to: run, after: .beforeFirst, at: time, followedBy: nil)
        }
    }

    /// The runs of a plan, each with the sequence number of its last event.
    package func heads(ofRunsOf plan: Digest) throws(LedgerError) -> [RunID: UInt64] {
        try read("list the runs of plan \(plan.short)") { db in try db.heads(ofRunsOf: plan) }
    }

    private func check(_ definition: RunDefinition, predecessorSequence: UInt64?) throws(LedgerError) {
        let planDigest = try LedgerError.digest(of: definition.plan, as: "plan")
        let hostsDigest = try LedgerError.digest(of: definition.hosts, as: "selected hosts")
        let names = definition.hosts.map(\.name)
        let problem: String? =
            if !definition.run.isFileName {
                "its id is not 1 to \(LedgerLimits.nameCharacters) letters, digits, dots and hyphens"
            } else if definition.ledger != id {
                "it belongs to the ledger \(definition.ledger), and this is \(id)"
            } else if definition.planDigest != planDigest {
                "its plan's digest is \(planDigest.short), not \(definition.planDigest.short)"
            } else if definition.hostsDigest != hostsDigest {
                "its hosts' digest is \(hostsDigest.short), not \(definition.hostsDigest.short)"
            } else if names.isEmpty {
                "it has no hosts"
            } else if Set(names).count != names.count {
                "it lists a host twice"
            } else if let stray = definition.approvals.first(where: { !$0.isFor(plan: planDigest, hosts: hostsDigest) })
            {
                "the approval of \(stray.owner) is for another plan or other hosts"
            } else if (definition.succession == nil) != (predecessorSequence == nil) {
                "a succession and the predecessor's head must be given together"
            } else {
                nil
            }
        guard let problem else { return }
        throw LedgerError(
            .contradiction, "The run \(definition.run) can not start: \(problem). Nothing was recorded.",
            run: definition.run)
    }

    /// All runs, the latest started first.
    package func runs() throws(LedgerError) -> [RunSummary] {
        try read("list the runs") { db in
            try Row.fetchAll(db, sql: Database.summarySQL + " ORDER BY runs.number DESC").map(RunSummary.init(row:))
        }
    }

    /// Finds a run from an operator's text: its ID or the first characters of one.
    ///
    /// - Throws: `unknownRun`; `ambiguous` if several runs match.
    package func run(matching text: String) throws(LedgerError) -> RunSummary {
        let prefix = text.count >= LedgerLimits.prefixCharacters ? text : "-"
        return try read("look up the run '\(text)'") { db in
            let found = try Row.fetchAll(
                db,
                sql: Database.summarySQL + """
                     WHERE runs.id = ? OR substr(runs.id, 1, length(?)) = ?
                    ORDER BY runs.id = ? DESC, runs.number DESC
                    """,
                arguments: [text, prefix, prefix, text]
            ).map(RunSummary.init(row:))
            guard let first = found.first else { throw LedgerError.unknownRun(RunID(text)) }
            guard found.count == 1 || first.id.rawValue == text else {
                throw LedgerError(
                    .ambiguous,
                    "'\(text)' matches \(counted(found.count, "run")); write more of the id: "
                        + found.map(\.id.rawValue).joined(separator: ", ") + ".")
            }
            return first
        }
    }
}

extension Database {
    fileprivate func heads(ofRunsOf plan: Digest) throws -> [RunID: UInt64] {
        let rows = try Row.fetchAll(
            self, sql: "SELECT id, head_sequence FROM runs WHERE plan_digest = ?", arguments: [plan.rawValue])
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.name("id"), $0.unsigned("head_sequence")) })
    }
}

/// The columns of a run's row that an append needs.
struct RunRow {
    var id: RunID
    var standing: RunStanding
    var head: EventChain.Head

    /// Refuses to change a run that has ended.
    func requireOpen() throws(LedgerError) {
        switch standing {
        case .open: return
        case .finalized:
            throw LedgerError(
                .runClosed,
                "The run \(id) is finalized and never changes again; nothing was recorded.",
                next: .status(run: id), run: id)
        case .cancelled:
            throw LedgerError(
                .runClosed, "The run \(id) is cancelled and never changes again; nothing was recorded.",
                next: .status(run: id), run: id)
        case .quarantined:
            throw LedgerError(
                .runClosed,
                "The run \(id) is quarantined: its record can not be followed and is only kept; nothing was recorded.",
                next: .status(run: id), run: id)
        case .superseded(let successor):
            throw LedgerError(
                .runClosed,
                "The run \(id) was superseded by \(successor) and never changes again; nothing was recorded.",
                next: .status(run: successor), run: id)
        }
    }

    func expectHead(_ sequence: UInt64) throws(LedgerError) {
        guard head.sequence != sequence else { return }
        throw LedgerError(
            .conflict,
            "The run \(id) is at event \(head.sequence), not at \(sequence): someone else appended. "
                + "Nothing was recorded; read the events after \(sequence) and decide again.", run: id)
    }
}

extension Database {
    static let summarySQL = """
        SELECT runs.*, plans.name AS plan_name FROM runs JOIN plans ON plans.digest = runs.plan_digest
        """

    func run(_ id: RunID) throws -> RunRow? {
        let statement = try cachedStatement(
            sql: "SELECT standing, successor, head_sequence, head_hash FROM runs WHERE id = ?")
        return try Row.fetchOne(statement, arguments: [id.rawValue]).map { row in
            RunRow(
                id: id, standing: try RunStanding(row: row),
                head: .init(sequence: row.unsigned("head_sequence"), hash: row.name("head_hash")))
        }
    }

    func existingRun(_ id: RunID) throws -> RunRow {
        guard let row = try run(id) else { throw LedgerError.unknownRun(id) }
        return row
    }

    func openRun(_ id: RunID) throws -> RunRow {
        let row = try existingRun(id)
        try row.requireOpen()
        return row
    }
    /// Claims hosts for a run; a host belongs to at most one open run.
    func claim(_ hosts: [HostName], for run: RunID) throws {
        for host in hosts {
            let owner = try String.fetchOne(
                cachedStatement(sql: "SELECT run FROM host_claims WHERE host = ?"), arguments: [host.rawValue])
            if let owner, try self.run(RunID(owner))?.standing == .quarantined {
                throw LedgerError(
                    .hostClaimed,
                    "The host \(host) belongs to the quarantined run \(owner): what happened there is not known. Nothing was "
                        + "recorded.", next: .quarantine(run: RunID(owner), abandoned: []), run: RunID(owner))
            }
            if let owner {
                throw LedgerError(
                    .hostClaimed,
                    "The host \(host) belongs to the run \(owner), which has not ended, so \(run) did not start. Finalize "
                        + "\(owner), cancel it if it has changed nothing, or replace it: start with --succeeds "
                        + "\(owner).", next: .status(run: RunID(owner)), run: RunID(owner))
            }
            try cachedStatement(sql: "INSERT INTO host_claims (host, run) VALUES (?, ?)")
                .execute(arguments: [host.rawValue, run.rawValue])
        }
    }
}

extension RunStanding {
    init(row: Row) throws {
        let successor = row["successor"] as String?
        switch (row["standing"] as String, successor) {
        case ("open", nil): self = .open
        case ("finalized", nil): self = .finalized
        case ("cancelled", nil): self = .cancelled
        case ("quarantined", nil): self = .quarantined
        case ("superseded", let successor?): self = .superseded(by: RunID(successor))
        case (let word, _):
            throw LedgerError(
                .damaged,
                "A run has the standing '\(word)', which does not exist.", next: .verifyLedger(file: nil))
        }
    }
}

extension RunSummary {
    fileprivate init(row: Row) throws {
        self.init(
            id: row.name("id"), planDigest: row.name("plan_digest"), planName: row["plan_name"],
            startedAt: row.time("started_at_milliseconds"), standing: try RunStanding(row: row),
            headSequence: row.unsigned("head_sequence"), headHash: row.name("head_hash"))
    }
}

extension LedgerError {
    static func unknownRun(_ run: RunID) -> LedgerError {
        LedgerError(
            .unknownRun, "There is no run '\(run)' in this ledger; without an id a command uses the run started last.",
            next: .status(run: nil), run: run)
    }
}

extension RunID {
    /// Whether the ID can safely be part of a file name.
    var isFileName: Bool {
        let isPlain = rawValue.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == 0x2D || byte == 0x2E
        }
        return isPlain && (1...LedgerLimits.nameCharacters).contains(rawValue.utf8.count)
    }
}

import AgentProtocol
import ContentDigest
import Glibc
import UpgradeDomain

/// The durable intent of an operation, as the host keeps it.
struct JournaledIntent: Codable, Hashable, Sendable {
    var request: StartRequest
    /// The boot in which it was begun; in another boot it is interrupted.
    var bootID: String
    var begunAt: WallTime
}

/// The processes of an operation, written before the script may run.
struct JournaledProcesses: Codable, Hashable, Sendable {
    var bootID: String
    /// The guardrail or script that runs, or ran last; leader of its process group.
    var script: ProcessIdentity
}

/// When a change ended that its host takes back unless it is confirmed; written before its record.
struct AwaitedConfirmation: Codable, Hashable, Sendable {
    var bootID: String
    var endedAt: BootTime
}

/// Which way a change that needed a confirmation went. Written once, and never again.
enum ConfirmationDecision: String, Codable, Hashable, Sendable {
    case confirmed, reverting
}

/// What the journal says about an operation id.
enum OperationStanding: Hashable, Sendable {
    /// Never seen; it may still arrive.
    case unknown
    case tombstoned
    case running(JournaledIntent)
    /// Its supervisor is gone and left no record; how it counts as ended.
    case lost(JournaledIntent, OperationOutcome)
    case ended(JournaledIntent, OperationRecord)

    /// What is on disk, taken in the journal's lock.
    struct Facts {
        var isTombstoned: Bool
        var intent: JournaledIntent?
        var hasRecord: Bool
        var record: OperationRecord?
        var supervisorLives: Bool
        var bootID: String
    }

    /// A complete record is the only end; without one, a lock that nobody holds or another boot means *interrupted*.
    init(_ facts: Facts) {
        guard let intent = facts.intent else {
            self = facts.isTombstoned ? .tombstoned : .unknown
            return
        }
        if let record = facts.record {
            self = .ended(intent, record)
        } else if facts.hasRecord {
            let outcome = OperationOutcome.interrupted(detail: "its record on the host is damaged")
            self = .ended(
                intent,
                OperationRecord(id: intent.request.intent.id, outcome: outcome, startedAt: intent.begunAt))
        } else if intent.bootID != facts.bootID {
            self = .lost(intent, .rebooted)
        } else if facts.supervisorLives {
            self = .running(intent)
        } else {
            self = .lost(intent, .interrupted(detail: "its supervisor on the host was killed"))
        }
    }
}

/// The journal of operations in the state folder. Every call but ``folder(of:)`` belongs inside
/// `StateFolder.exclusively`.
struct OperationJournal: Sendable {
    let state: StateFolder

    /// A folder name that no id can lead out of the journal with.
    static func fileName(of text: String) -> String {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_!".utf8)
        let isSafe =
            !text.isEmpty && text.utf8.count <= 200 && text.utf8.allSatisfy(allowed.contains) && !text.hasPrefix(".")
            && !text.hasPrefix("sha256-")
        return isSafe ? text : "sha256-" + Digest.sha256(of: Array(text.utf8)).rawValue.dropFirst("sha256:".count)
    }

    func folder(of id: OperationID) -> Folder {
        state.operations.subfolder(OperationJournal.fileName(of: id.rawValue))
    }

    /// - Parameter holdsMutationLock: the caller holds it, so no supervisor lives.
    func standing(of id: OperationID, holdsMutationLock: Bool = false) throws(Refusal) -> OperationStanding {
        let folder = folder(of: id)
        // The lock before the record: once nobody holds it, the record is there or never will be.
        let isLast = try lastOperation() == folder.name
        let supervisorLives = isLast && !holdsMutationLock ? try mutationLockIsHeld() : false
        let facts = OperationStanding.Facts(
            isTombstoned: isTombstoned(id), intent: try folder.value(JournaledIntent.self, of: "intent.json"),
            hasRecord: folder.contains("result.json"),
            record: try folder.value(OperationRecord.self, of: "result.json"),
            supervisorLives: supervisorLives, bootID: state.bootID())
        return OperationStanding(facts)
    }

    /// The standing, with a lost operation's end made durable.
    func concluded(_ id: OperationID, holdsMutationLock: Bool = false) throws(Refusal) -> OperationStanding {
        let standing = try standing(of: id, holdsMutationLock: holdsMutationLock)
        guard case .lost(let intent, let outcome) = standing else { return standing }
        var record = OperationRecord(id: id, outcome: outcome, startedAt: intent.begunAt)
        OutputFile(path: folder(of: id).path(of: OutputFile.name)).describe(in: &record)
        return try conclude(record) ? .ended(intent, record) : try self.standing(of: id)
    }

    /// Writes how an operation ended; false when that is written already, for the first record stays.
    @discardableResult
    func conclude(_ record: OperationRecord) throws(Refusal) -> Bool {
        let folder = folder(of: record.id)
        let reserve = folder.contains("result.reserve") ? "result.reserve" : nil
        return try folder.writeOnce("result.json", Folder.json(record), reserve: reserve)
    }

    /// Makes an operation's folder with its durable intent and room for its result. Nothing of it is left behind when
    /// that fails.
    func record(_ intent: JournaledIntent) throws(Refusal) {
        let folder = folder(of: intent.request.intent.id)
        try state.folder.write("last-operation", Array((folder.name + "\n").utf8))
        do {
            try folder.create()
            try folder.reserve("result.reserve", bytes: AgentLimits.resultReserveBytes)
            try folder.write(OutputFile.name, [])
            try folder.writeJSON("intent.json", intent)
        } catch {
            folder.discard()
            throw error
        }
    }

    /// What became of a change that waits for a confirmation; nil while nothing is decided.
    func decision(on id: OperationID) throws(Refusal) -> ConfirmationDecision? {
        try folder(of: id).value(ConfirmationDecision.self, of: "decision.json")
    }

    /// Decides for good; the first decision stays.
    /// - Returns: the decision that stands.
    func decide(_ decision: ConfirmationDecision, on id: OperationID) throws(Refusal) -> ConfirmationDecision {
        _ = try folder(of: id).writeOnce("decision.json", Folder.json(decision))
        return try self.decision(on: id) ?? decision
    }

    func isTombstoned(_ id: OperationID) -> Bool {
        state.tombstones.contains(OperationJournal.fileName(of: id.rawValue))
    }

    /// Refuses an id forever.
    func tombstone(_ id: OperationID) throws(Refusal) {
        try state.tombstones.create()
        try state.tombstones.write(OperationJournal.fileName(of: id.rawValue), Array((id.rawValue + "\n").utf8))
    }

    /// Refuses while a process of the operation before may still change the host; ends that one's record otherwise.
    ///
    /// Call while holding the mutation lock, so that no supervisor lives.
    func requireQuietHost() throws(Refusal) {
        guard let name = try lastOperation() else { return }
        let folder = state.operations.subfolder(name)
        guard let intent = try folder.value(JournaledIntent.self, of: "intent.json") else { return }
        let id = intent.request.intent.id
        guard case .ended(_, let record) = try concluded(id, holdsMutationLock: true),
            let processes = try folder.value(JournaledProcesses.self, of: "process.json"),
            processes.bootID == state.bootID()
        else { return }
        let lives =
            switch record.outcome {
            case .interrupted: ProcessTable.isAlive(processes.script)
            case .timedOut(survivors: true): ProcessTable.hasLivingMember(groupOf: processes.script)
            case .exited, .signaled, .timedOut, .rebooted, .guardrailRefused, .notStarted: false
            }
        guard !lives else {
            throw Refusal(
                .busy,
                "process \(processes.script.pid) of operation \(id) is still alive; end it on the host, then try again")
        }
    }

    /// The journal's entries, the newest first, at most ``AgentLimits/journalEntries``.
    func entries() throws(Refusal) -> [JournalEntry] {
        let newest =
            (state.operations.names().map { (state.operations.subfolder($0), $0) }
            + state.tombstones.names().map { (state.tombstones, $0) })
            .map { (folder: $0.0, name: $0.1, time: modificationTime(of: $0.0, $0.1)) }
            .sorted { ($0.time, $0.name) > ($1.time, $1.name) }
            .prefix(AgentLimits.journalEntries)
        var entries: [JournalEntry] = []
        for (folder, name, _) in newest {
            if folder.path == state.tombstones.path {
                let text = String(decoding: (try folder.read(name) ?? []).prefix { $0 != 0x0a }, as: UTF8.self)
                entries.append(
                    JournalEntry(operation: OperationID(text), state: .tombstoned, planDigest: nil, chainHead: nil))
            } else if let intent = try folder.value(JournaledIntent.self, of: "intent.json") {
                try entries.append(entry(of: intent))
            }
        }
        return entries
    }

    private func entry(of intent: JournaledIntent) throws(Refusal) -> JournalEntry {
        let id = intent.request.intent.id
        let journaled: JournalEntry.State
        switch try concluded(id) {
        case .ended(_, let record): journaled = .ended(record.outcome)
        case .running, .lost: journaled = .running
        case .tombstoned, .unknown: journaled = .tombstoned
        }
        return JournalEntry(
            operation: id, state: journaled, planDigest: intent.request.intent.planDigest,
            chainHead: intent.request.chainHead)
    }

    private func modificationTime(of folder: Folder, _ name: String) -> Int64 {
        var status = stat()
        let path = folder.path == state.tombstones.path ? folder.path(of: name) : folder.path(of: "intent.json")
        guard stat(path, &status) == 0 else { return 0 }
        return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    /// Whether the operation that was begun last has its record; its supervisor is about to leave.
    func lastHasEnded() throws(Refusal) -> Bool {
        guard let name = try lastOperation() else { return false }
        return state.operations.subfolder(name).contains("result.json")
    }

    /// The folder name of the operation that was begun last; only that one can have living processes.
    private func lastOperation() throws(Refusal) -> String? {
        guard let bytes = try state.folder.read("last-operation") else { return nil }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    private func mutationLockIsHeld() throws(Refusal) -> Bool {
        let free = try FileLock(path: state.mutationLockPath, until: nil)
        switch consume free {
        case .some: return false
        case .none: return true
        }
    }
}

extension Folder {
    var name: String { String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]) }
}

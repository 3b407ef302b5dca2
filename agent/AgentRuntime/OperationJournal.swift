package import AgentProtocol
import ContentDigest
import SafeText
package import UpgradeDomain

/// The durable intent of an operation, as stored on the host.
package struct JournaledIntent: Codable, Hashable, Sendable {
    package var request: StartRequest
    /// The boot in which it began. In another boot it is interrupted.
    var bootID: String
    package var begunAt: WallTime
}

/// The processes of an operation, written before the script may run.
package struct JournaledProcesses: Codable, Hashable, Sendable {
    var bootID: String
    /// The guardrail or script that is running, or ran last; leader of its process group.
    var script: ProcessIdentity

    package init(bootID: String, script: ProcessIdentity) {
        self.bootID = bootID
        self.script = script
    }
}

/// When a change ended that its host rolls back unless it is confirmed. Written before its record.
package struct AwaitedConfirmation: Codable, Hashable, Sendable {
    var bootID: String
    var endedAt: BootTime
}

/// The decision on a change that needed a confirmation. Written once and never changed.
package enum ConfirmationDecision: String, Codable, Hashable, Sendable {
    case confirmed, reverting
}

/// What the journal says about an operation ID.
package enum OperationStanding: Hashable, Sendable {
    /// Never seen; it may still arrive.
    case unknown
    case tombstoned
    case running(JournaledIntent)
    /// Its supervisor is gone and left no record; how it counts as ended.
    case lost(JournaledIntent, OperationOutcome)
    case ended(JournaledIntent, OperationRecord)

    /// What is on disk, read under the journal's lock.
    struct Facts {
        var isTombstoned: Bool
        var intent: JournaledIntent?
        var hasRecord: Bool
        var record: OperationRecord?
        var supervisorLives: Bool
        var bootID: String
    }

    /// Only a complete record is an end. Without one, a free lock or another boot means *interrupted*.
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

/// The journal of operations in the state folder. Every call but `folder(of:)` belongs inside
/// `StateFolder.exclusively`.
package struct OperationJournal: Sendable {
    let state: StateFolder

    package init(state: StateFolder) { self.state = state }

    package func folder(of id: OperationID) -> Folder {
        state.operations.subfolder(StateFolder.fileName(of: id.rawValue))
    }

    /// - Parameter holdsMutationLock: the caller holds it, so no supervisor is alive.
    func standing(of id: OperationID, holdsMutationLock: Bool = false) throws(Refusal) -> OperationStanding {
        let folder = folder(of: id)
        // Check the lock before the record: once the lock is free, the record exists or never will.
        let isLast = try lastOperation() == folder.name
        let supervisorLives =
            isLast && !holdsMutationLock ? try state.machine.supervisorLives(state.mutationLockPath) : false
        let facts = OperationStanding.Facts(
            isTombstoned: isTombstoned(id), intent: try folder.value(JournaledIntent.self, of: "intent.json"),
            hasRecord: folder.contains("result.json"),
            record: try folder.value(OperationRecord.self, of: "result.json"),
            supervisorLives: supervisorLives, bootID: state.machine.bootID)
        return OperationStanding(facts)
    }

    /// The standing, after the end of a lost operation was made durable.
    func concluded(_ id: OperationID, holdsMutationLock: Bool = false) throws(Refusal) -> OperationStanding {
        let standing = try standing(of: id, holdsMutationLock: holdsMutationLock)
        guard case .lost(let intent, let outcome) = standing else { return standing }
        var record = OperationRecord(id: id, outcome: outcome, startedAt: intent.begunAt)
        let output = OutputFile(in: folder(of: id))
        if let files = intent.request.secretFiles { output.mask(secretsIn: files, known: nil, isCut: nil) }
        output.describe(in: &record)
        if try !scriptLives(in: folder(of: id)) { PlacedCopy.removeLeft(in: folder(of: id)) }
        return try conclude(record) ? .ended(intent, record) : try self.standing(of: id)
    }

    /// Writes how an operation ended; false if that was written before, because the first record is kept.
    @discardableResult
    func conclude(_ record: OperationRecord) throws(Refusal) -> Bool {
        let folder = folder(of: record.id)
        let reserve = folder.contains("result.reserve") ? "result.reserve" : nil
        return try folder.writeOnce("result.json", Folder.json(record), reserve: reserve)
    }

    /// Creates an operation's folder with its durable intent and reserved room for its result. If that fails, nothing
    /// is left behind.
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

    /// The decision on a change that waits for a confirmation; nil while there is none.
    package func decision(on id: OperationID) throws(Refusal) -> ConfirmationDecision? {
        try folder(of: id).value(ConfirmationDecision.self, of: "decision.json")
    }

    /// Writes how an operation ended and, if it must be confirmed, since when the confirmation is awaited.
    package func concludeSupervised(_ record: OperationRecord, of intent: JournaledIntent) throws(Refusal) {
        if intent.request.intent.revert != nil, record.outcome.isConfirmable {
            try folder(of: record.id).writeJSON(
                "awaiting.json",
                AwaitedConfirmation(bootID: state.machine.bootID, endedAt: state.machine.bootTime))
        }
        try conclude(record)
    }

    /// Journals the rollback of a change like any other operation, then decides. If this process dies in between, the
    /// rollback has not started, and a confirmation is still accepted. Does nothing if it is decided already.
    package func beginRevert(of intent: JournaledIntent) throws(Refusal) {
        guard let request = intent.request.revertRequest else { return }
        let change = intent.request.intent.id
        try state.exclusively { () throws(Refusal) in
            guard try decision(on: change) == nil else { return }
            try record(
                JournaledIntent(
                    request: request, bootID: state.machine.bootID, begunAt: state.machine.wallTime))
            _ = try decide(.reverting, on: change)
        }
    }

    /// Decides permanently. The first decision is kept.
    /// - Returns: the decision that is kept.
    func decide(_ decision: ConfirmationDecision, on id: OperationID) throws(Refusal) -> ConfirmationDecision {
        _ = try folder(of: id).writeOnce("decision.json", Folder.json(decision))
        return try self.decision(on: id) ?? decision
    }

    func isTombstoned(_ id: OperationID) -> Bool {
        state.tombstones.contains(StateFolder.fileName(of: id.rawValue))
    }

    /// Refuses an id forever.
    func tombstone(_ id: OperationID) throws(Refusal) {
        try state.tombstones.create()
        try state.tombstones.write(StateFolder.fileName(of: id.rawValue), Array((id.rawValue + "\n").utf8))
    }

    /// Refuses while a process of the previous operation can still change the host; otherwise completes that
    /// operation's record.
    ///
    /// Call while holding the mutation lock, so that no supervisor is alive.
    func requireQuietHost() throws(Refusal) {
        guard let name = try lastOperation() else { return }
        let folder = state.operations.subfolder(name)
        guard let intent = try folder.value(JournaledIntent.self, of: "intent.json") else { return }
        let id = intent.request.intent.id
        guard case .ended(_, let record) = try concluded(id, holdsMutationLock: true),
            let processes = try folder.value(JournaledProcesses.self, of: "process.json"),
            processes.bootID == state.machine.bootID
        else { return PlacedCopy.removeLeft(in: folder) }
        let lives =
            switch record.outcome {
            case .interrupted: state.machine.isAlive(processes.script)
            case .timedOut(survivors: true): state.machine.hasLivingMember(groupOf: processes.script)
            case .exited, .signaled, .timedOut, .rebooted, .guardrailRefused, .notStarted: false
            }
        guard !lives else {
            throw Refusal(
                .busy,
                "process \(processes.script.pid) of operation \(id) is still alive; end it on the host, then try again")
        }
        PlacedCopy.removeLeft(in: folder)
    }

    /// Whether the script of an operation outlived its supervisor.
    private func scriptLives(in folder: Folder) throws(Refusal) -> Bool {
        guard let processes = try folder.value(JournaledProcesses.self, of: "process.json"),
            processes.bootID == state.machine.bootID
        else { return false }
        return state.machine.isAlive(processes.script)
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
        folder.disk.modifiedAt(
            folder.path == state.tombstones.path ? folder.path(of: name) : folder.path(of: "intent.json"))
    }

    /// Whether the operation that began last has its record; its supervisor is about to exit.
    func lastHasEnded() throws(Refusal) -> Bool {
        guard let name = try lastOperation() else { return false }
        return state.operations.subfolder(name).contains("result.json")
    }

    /// Whether any operation of a run began on this host.
    func hasBegun(_ run: RunID) throws(Refusal) -> Bool {
        for name in state.operations.names() {
            if OperationID(name).belongs(to: run) { return true }
            guard name.begins(with: "sha256-") else { continue }
            let intent = try state.operations.subfolder(name).value(JournaledIntent.self, of: "intent.json")
            if intent?.request.run == run { return true }
        }
        return false
    }

    /// The folder name of the operation that began last. Only that one can have living processes.
    private func lastOperation() throws(Refusal) -> String? {
        guard let bytes = try state.folder.read("last-operation") else { return nil }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }
}

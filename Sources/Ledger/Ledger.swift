import FoundationEssentials
import GRDB
package import Logging
import OperatorCommands
package import UpgradeDomain

/// The durable memory of a fleet's upgrades: inventory, plans, approvals, hash-chained events, leases, evidence.
///
/// One SQLite file in WAL mode with `synchronous=FULL`. Several processes may have it open. Every call is one
/// transaction and waits for the disk for about one commit (0.25 ms on a fast disk). It runs on the executor that the
/// ledger was opened with, never on a connection's thread. If the process dies in a call, the call's facts are recorded
/// completely or not at all.
package actor Ledger {
    package nonisolated let path: String
    private let isSimulated: Bool
    /// Random at creation. Agents remember which ledger owns their host.
    package nonisolated let id: LedgerID

    private let executor: any SerialExecutor
    private let database: DatabaseQueue
    /// A commit failed. Whether its facts are on disk is known only after reopening.
    private var isUncertain = false
    private var logger = Logger(label: "ledger") { _ in SwiftLogNoOpLogHandler() }

    /// From now on, logs each write at debug level, and a failed commit at error level.
    package func log(to logger: Logger) { self.logger = logger }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens the ledger at a path. If there is no file or an empty one, creates it with access for its owner only. Its
    /// folder must exist.
    ///
    /// - Parameters:
    ///   - path: the database file.
    ///   - executor: where its calls wait for the disk; its own thread unless another executor is given.
    /// - Throws: `untrusted` if another user could have written it; `notALedger` and `newerSchema` leave the file
    ///   untouched.
    package static func open(
        at path: String, on executor: any SerialExecutor = QueueExecutor(name: "ledger")
    ) async throws(LedgerError) -> Ledger {
        try await DiskWork(on: executor).run { () throws(LedgerError) in
            try PrivateFile.create(at: path)
            return try Ledger(path: path, access: .readWrite, on: executor)
        }
    }

    /// The same, but creates missing folders.
    package static func openMakingFolders(
        at path: String, on executor: any SerialExecutor = QueueExecutor(name: "ledger")
    ) async throws(LedgerError) -> Ledger {
        try await DiskWork(on: executor).run { () throws(LedgerError) in
            try PrivateFile.createFolder(at: PrivateFile.folder(of: path))
        }
        return try await open(at: path, on: executor)
    }

    /// Opens an existing ledger.
    /// - Throws: `absent`, and everything ``open(at:on:)`` throws.
    package static func openExisting(
        at path: String, on executor: any SerialExecutor = QueueExecutor(name: "ledger")
    ) async throws(LedgerError) -> Ledger {
        try await DiskWork(on: executor).run { () throws(LedgerError) in
            try requirePresent(path)
            return try Ledger(path: path, access: .readWrite, on: executor)
        }
    }

    private static func requirePresent(_ path: String) throws(LedgerError) {
        guard !PrivateFile.mayExist(path) else { return }
        throw LedgerError(
            .absent, "There is no ledger at \(path); importing an inventory creates it.",
            next: .importInventory(file: nil))
    }

    /// Opens an existing ledger read-only; this also works on a full disk.
    ///
    /// On a full disk, SQLite cannot open a cleanly closed WAL database in the ordinary way. No process is writing to
    /// it then, so it is read as an immutable file.
    ///
    /// - Parameters:
    ///   - path: the database file.
    ///   - upgrading: upgrades a ledger of an earlier build first; false leaves the file unchanged, to read only its
    ///     bytes.
    ///   - executor: as in ``open(at:on:)``.
    package static func openReadOnly(
        at path: String, upgrading: Bool = true, on executor: any SerialExecutor = QueueExecutor(name: "ledger")
    ) async throws(LedgerError) -> Ledger {
        try await DiskWork(on: executor).run { () throws(LedgerError) in
            try readOnly(at: path, upgrading: upgrading, on: executor)
        }
    }

    private static func readOnly(
        at path: String, upgrading: Bool, on executor: any SerialExecutor
    ) throws(LedgerError) -> Ledger {
        try requirePresent(path)
        do {
            return try Ledger(path: path, access: .readOnly, on: executor)
        } catch {
            switch error.code {
            case .olderSchema:
                guard upgrading else {
                    return try Ledger(path: path, access: .readOnly, acceptsOlder: true, on: executor)
                }
                // The first user of an older file upgrades it. If that is not possible, the error says how to do it.
                do throws(LedgerError) {
                    _ = try Ledger(path: path, access: .readWrite, on: executor)
                } catch let failure {
                    throw failure.code == .readOnly ? error : failure
                }
                return try Ledger(path: path, access: .readOnly, on: executor)
            case .cannotOpen, .storageFailed, .diskFull, .readOnly:
                guard !Ledger.hasPendingWrites(path) else { throw error }
                return try Ledger(path: path, access: .immutable, on: executor)
            case .absent, .fileExists, .notALedger, .untrusted, .newerSchema, .busy, .damaged,
                .commitUnknown,
                .unknownPlan,
                .unknownRun, .unknownStatement, .ambiguous, .conflict, .leaseRequired, .leaseHeld, .deposed, .runClosed,
                .hostClaimed,
                .contradiction, .tooLarge:
                throw error
            }
        }
    }

    /// A ledger that exists only as long as this object, for a simulation. Everything but the disk is real.
    ///
    /// - Parameters:
    ///   - path: the path to name in errors, and the prefix of the names of its lease locks.
    ///   - id: must be the same for the same seed, because every hash of the chain depends on it.
    ///   - executor: the simulation's own.
    package static func inMemory(
        named path: String, id: LedgerID, on executor: any SerialExecutor
    ) throws(LedgerError) -> Ledger {
        try Ledger(path: path, access: .memory, newID: id.rawValue, on: executor)
    }

    /// A ledger that uses another SQLite VFS and another `synchronous` setting, to test disk failures.
    package static func open(at path: String, vfs: String, synchronous: String) async throws(LedgerError) -> Ledger {
        let executor = QueueExecutor(name: "ledger")
        return try await DiskWork(on: executor).run { () throws(LedgerError) in
            try Ledger(path: path, access: .readWrite, vfs: vfs, synchronous: synchronous, on: executor)
        }
    }

    private enum Access {
        case readWrite, readOnly, immutable, memory
    }

    private init(
        path: String, access: Access, vfs: String? = nil, synchronous: String = "FULL", newID: String? = nil,
        acceptsOlder: Bool = false, on executor: any SerialExecutor
    ) throws(LedgerError) {
        self.path = path
        self.executor = executor
        isSimulated = access == .memory
        if access != .memory { try PrivateFile.requireTrusted(path) }
        do {
            let configuration = Ledger.configuration(path: path, access: access, synchronous: synchronous)
            switch access {
            case .readWrite, .readOnly:
                let name = vfs.map { Ledger.uri(path, "vfs=\($0)") } ?? path
                database = try DatabaseQueue(path: name, configuration: configuration)
            case .immutable:
                database = try DatabaseQueue(path: Ledger.uri(path, "immutable=1"), configuration: configuration)
            case .memory: database = try DatabaseQueue(configuration: configuration)
            }
            if let newID {
                try Schema.untouched.get().backup(to: database)
                try database.write { db in try db.execute(sql: "UPDATE meta SET ledger_id = ?", arguments: [newID]) }
            } else if !configuration.readonly {
                try database.writeWithoutTransaction { db in try Schema.migrate(db, newLedgerID: Ledger.randomID()) }
            }
            id = try database.read { db in
                let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
                guard version == Schema.currentVersion || acceptsOlder else {
                    throw LedgerError(
                        .olderSchema,
                        "The ledger \(path) has the older schema \(version); any command that writes, such as the import of an "
                            + "inventory, upgrades it.", next: .importInventory(file: nil))
                }
                guard let id = try String.fetchOne(db, sql: "SELECT ledger_id FROM meta") else {
                    throw LedgerError(.damaged, "The ledger \(path) has lost its identity; restore a backup.")
                }
                return LedgerID(id)
            }
        } catch {
            throw LedgerError(error, purpose: "be opened", path: path)
        }
    }

    private static func configuration(path: String, access: Access, synchronous: String) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = access == .readOnly || access == .immutable
        configuration.busyMode = .timeout(Double(LedgerLimits.busyTimeoutSeconds))
        configuration.prepareDatabase { db in
            try Schema.refuseForeignFile(db, path: path)
            guard access == .readWrite else { return }
            // GRDB's own WAL mode would later set synchronous=NORMAL, which could lose the last commits.
            try db.execute(sql: "PRAGMA journal_mode = WAL")
            try db.execute(sql: "PRAGMA synchronous = \(synchronous)")
        }
        return configuration
    }

    private static func randomID() -> String { "l-" + randomDigits() }

    /// 128 bits.
    private static func randomDigits() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// A new token of a lease. In a simulation it is the same for the same seed; there, ledgers are distinguished by
    /// their paths.
    func newToken(_ epoch: Epoch) -> LeaseToken {
        LeaseToken(isSimulated ? "\(path)-\(epoch)" : Ledger.randomDigits())
    }

    /// Whether the write-ahead log has content, which also means that a process may have the file open.
    private static func hasPendingWrites(_ path: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path + "-wal")
        return (attributes?[.size] as? UInt64 ?? 0) > 0
    }

    /// The file as an SQLite URI with one parameter (sqlite.org/uri.html).
    private static func uri(_ path: String, _ parameter: String) -> String {
        let escaped = path.utf8.map { byte -> String in
            let isPlain = byte < 0x80 && byte > 0x20 && byte != 0x25 && byte != 0x3F && byte != 0x23
            return isPlain
                ? String(UnicodeScalar(byte)) : "%" + String(byte / 16, radix: 16) + String(byte % 16, radix: 16)
        }
        return "file:" + escaped.joined() + "?" + parameter
    }

    /// Runs one consistent read; `purpose` completes "could not ..." in an error.
    func read<T>(_ purpose: String, _ body: (Database) throws -> T) throws(LedgerError) -> T {
        do {
            return try database.unsafeRead { db in
                var result: T?
                try db.inTransaction(.deferred) {
                    let changes = db.totalChangesCount
                    result = try body(db)
                    // GRDB's own way to forbid writes here is a pragma, after which SQLite compiles every statement
                    // again.
                    guard db.totalChangesCount == changes else {
                        throw LedgerError(.storageFailed, "The ledger \(path) was opened read-only.")
                    }
                    return .commit
                }
                guard let result else { throw LedgerError(.storageFailed, "the transaction never ran") }
                return result
            }
        } catch {
            throw LedgerError(error, purpose: purpose, path: path)
        }
    }

    /// Runs one durable IMMEDIATE transaction. Nothing of it is recorded if `body` throws.
    ///
    /// SQLite writes a WAL transaction's pages at the commit, so a full disk shows up there too.
    ///
    /// - Throws: `commitUnknown` if the commit itself failed. This object then refuses every further write.
    func write<T>(_ purpose: String, _ body: (Database) throws -> T) throws(LedgerError) -> T {
        try refuseWhenUncertain(purpose)
        var result: T?
        do {
            try database.writeWithoutTransaction { db in
                try db.inTransaction(.immediate) {
                    result = try body(db)
                    return .commit
                }
            }
        } catch {
            let failure = LedgerError(error, purpose: purpose, path: path)
            guard result != nil else { throw failure }
            isUncertain = true
            logger.error("a commit failed", metadata: ["purpose": "\(purpose)", "cause": "\(failure.cause ?? "-")"])
            let reason = failure.code == .diskFull ? "its disk is full" : "storage failed"
            let (follows, next): (String, OperatorCommand?) =
                mayHaveRun
                ? (
                    "Nothing new starts. Free space or repair the disk; then what is recorded is read "
                        + "again, and the run continues from there.", OperatorCommand.resume(run: nil)
                )
                : ("Free space or repair the disk, and give the command again.", nil)
            throw LedgerError(
                .commitUnknown,
                "The ledger \(path) can not tell whether it could \(purpose): \(reason) during the commit. \(follows)",
                next: next, cause: failure.cause)
        }
        guard let result else {
            throw LedgerError(.storageFailed, "The ledger \(path) could not \(purpose): the transaction never ran.")
        }
        logger.debug("committed", metadata: ["purpose": "\(purpose)"])
        return result
    }

    /// False only where the ledger says so: a disk that is full can still be read.
    private var mayHaveRun: Bool {
        let count = try? database.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM runs") }
        return count.flatMap(\.self) != 0
    }

    private func refuseWhenUncertain(_ purpose: String) throws(LedgerError) {
        guard isUncertain else { return }
        throw LedgerError(
            .commitUnknown,
            "The ledger \(path) could not \(purpose): an earlier commit failed, so what is recorded "
                + "is known only after the ledger is opened again.", next: .resume(run: nil))
    }

    /// Copies a consistent snapshot of the database, with SQLite's backup API, into one file without a separate log.
    func copy(to file: String) throws {
        let copy = try DatabaseQueue(path: file)
        try database.backup(to: copy)
        try copy.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA journal_mode = DELETE") }
        try copy.close()
    }

    /// Closes the file. This object cannot be used afterwards.
    func close() throws(LedgerError) {
        do {
            try database.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA journal_mode = DELETE") }
            try database.close()
        } catch {
            throw LedgerError(error, purpose: "be closed", path: path)
        }
    }

    /// A value that changes whenever anything in the ledger changes, through this or any other process.
    ///
    /// Costs a few microseconds and no disk access, so a watcher can poll it and reread only after a change.
    package func changeToken() throws(LedgerError) -> ChangeToken {
        do {
            return try database.writeWithoutTransaction { db in
                ChangeToken(
                    others: try Int64.fetchOne(db, sql: "PRAGMA data_version") ?? 0, own: db.totalChangesCount)
            }
        } catch {
            throw LedgerError(error, purpose: "be polled", path: path)
        }
    }
}

/// See ``Ledger/changeToken()``; comparable only with tokens of the same open ledger.
package struct ChangeToken: Hashable, Sendable {
    let others: Int64
    let own: Int
}

extension Ledger {
    /// The settings that durability depends on, as SQLite reports them for this connection.
    struct Durability: Hashable {
        var synchronous: Int
        var foreignKeys: Int
        var busyMilliseconds: Int
    }

    func durability() throws(LedgerError) -> Durability {
        try read("be asked for its settings") { db in
            Durability(
                synchronous: try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? -1,
                foreignKeys: try Int.fetchOne(db, sql: "PRAGMA foreign_keys") ?? -1,
                busyMilliseconds: try Int.fetchOne(db, sql: "PRAGMA busy_timeout") ?? -1)
        }
    }
}

extension Row {
    /// A NOT NULL text column as one of Lockflight's name types.
    func name<N: Name>(_ column: String) -> N { N(self[column] as String) }
    func time(_ column: String) -> WallTime { WallTime(clamping: self[column]) }
    func unsigned(_ column: String) -> UInt64 { UInt64(clamping: self[column] as Int64) }
    func bytes(_ column: String) -> [UInt8] { [UInt8](self[column] as Data) }
}

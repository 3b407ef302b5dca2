import FoundationEssentials
import GRDB
import Glibc
import OperatorCommands
import SafeText
package import UpgradeDomain

extension Ledger {
    /// Writes a consistent snapshot of everything into one file, while other processes go on writing.
    ///
    /// The file appears completely or not at all. An existing file is never replaced.
    package func backup(to file: String) throws(LedgerError) {
        guard !FileManager.default.fileExists(atPath: file) else {
            throw LedgerError(.fileExists, "\(file) exists already and was left alone; name another file.")
        }
        let part = try Ledger.newPart(of: file)
        do {
            try copy(to: part)
            try Ledger.publish(part, as: file)
        } catch {
            try? FileManager.default.removeItem(atPath: part)
            throw LedgerError(error, purpose: "be copied to \(file)", path: path)
        }
    }

    /// Creates a ledger from a backup, where there is none yet. The backup is verified first and not changed.
    ///
    /// Since the backup, hosts may have seen epochs that it does not know, and they refuse lower ones. So the restored
    /// ledger continues above them: a million leases above its own, and at least at the seconds since 1970. This way,
    /// the same backup restored twice does not issue the same epoch twice.
    ///
    /// - Throws: `fileExists` if there is a ledger already; `damaged` if a chain of the backup is not valid.
    package static func restore(_ file: String, to path: String, at time: WallTime) async throws(LedgerError) -> Ledger
    {
        let disk = DiskWork(on: QueueExecutor(name: "ledger"))
        let part = try await disk.run { () throws(LedgerError) in try partOfRestored(path) }
        do {
            try await openReadOnly(at: file, upgrading: false).copy(to: part)
            try await open(at: part).makeRestored(from: file, at: time)
            try await disk.run { () throws(LedgerError) in try publish(part, as: path) }
        } catch {
            try? await disk.run { () throws(LedgerError) in
                for name in [part, part + "-wal", part + "-shm"] { try? FileManager.default.removeItem(atPath: name) }
            }
            throw LedgerError(error, purpose: "be restored from \(file)", path: path)
        }
        return try await open(at: path)
    }

    /// The temporary file that a ledger is restored into before it gets its final name.
    private static func partOfRestored(_ path: String) throws(LedgerError) -> String {
        for name in [path, path + "-wal", path + "-shm"] where FileManager.default.fileExists(atPath: name) {
            throw LedgerError(
                .fileExists,
                "\(name) is in the way, so nothing was restored; move the old ledger aside with its -wal and -shm files."
            )
        }
        try PrivateFile.createFolder(at: PrivateFile.folder(of: path))
        return try newPart(of: path)
    }

    private func makeRestored(from backup: String, at time: WallTime) throws(LedgerError) {
        let verification = try verify()
        let faults = verification.faults.count + verification.chains.reduce(0) { $0 + $1.faults.count }
        guard verification.isSound else {
            throw LedgerError(
                .damaged,
                "The backup is not valid: \(faults) faults; nothing was restored.",
                next: .verifyLedger(file: backup))
        }
        try write("be marked as restored") { db in
            let floor = try db.epochFloor(above: try db.highestEpoch(), at: time)
            try db.execute(sql: "UPDATE meta SET epoch_floor = ?", arguments: [floor])
        }
        try close()
    }

    /// Moves a finished file to its name, durably (rename(2), fsync(2)).
    private static func publish(_ part: String, as file: String) throws(LedgerError) {
        try sync(part)
        guard rename(part, file) == 0 else { throw LedgerError.system(errno, "name \(part) \(file)") }
        try sync(PrivateFile.folder(of: file))
    }

    /// An empty file with an unpredictable name, next to its final path.
    private static func newPart(of file: String) throws(LedgerError) -> String {
        let part = file + ".part-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try PrivateFile.create(at: part)
        return part
    }

    private static func sync(_ path: String) throws(LedgerError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LedgerError.system(errno, "open \(path)") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw LedgerError.system(errno, "sync \(path)") }
    }
}

extension LedgerError {
    fileprivate static func system(_ code: Int32, _ action: String) -> LedgerError {
        LedgerError(
            code == ENOSPC || code == EDQUOT ? .diskFull : .storageFailed,
            "Could not \(action): \(String(cString: strerror(code))) (\(code)); nothing else was changed.")
    }
}

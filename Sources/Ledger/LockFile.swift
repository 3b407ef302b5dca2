import Glibc
import Synchronization

/// An exclusively locked file (`flock(2)`). The lock ends when it is released or when its process dies.
final class LockFile: Sendable {
    private let descriptor: Mutex<Int32?>

    private init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

    deinit { release() }

    /// Creates and locks a file that no other process looks for yet. Close-on-exec, so that no child keeps the lock.
    static func create(at path: String, in folder: String) throws(LedgerError) -> LockFile {
        try PrivateFile.createFolder(at: folder)
        try PrivateFile.create(at: path)
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("create the lock file", path, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK else { throw failure("lock", path, code) }
            throw LedgerError(
                .leaseHeld,
                "Another process already holds \(path), although this ledger never issued that epoch: "
                    + "a driver of an earlier copy of the ledger is still alive. End it first.")
        }
        return LockFile(descriptor: descriptor)
    }

    /// Whether a living process holds the file's lock. It tries a shared lock, so that several checks do not block each
    /// other.
    static func isHeld(at path: String) throws(LedgerError) -> Bool {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw failure("open the lock file", path, errno) }
            return false
        }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0 else { return false }
        guard errno == EWOULDBLOCK else { throw failure("ask for the lock", path, errno) }
        return true
    }

    /// Removes a lock file that is no longer the newest. A process that holds its lock has been deposed.
    static func remove(at path: String) { _ = unlink(path) }

    /// Unlocks before closing: a child between fork and exec still shares the lock and must not keep it.
    func release() {
        descriptor.withLock { held in
            if let open = held {
                _ = flock(open, LOCK_UN)
                close(open)
            }
            held = nil
        }
    }

    private static func failure(_ what: String, _ path: String, _ code: Int32) -> LedgerError {
        LedgerError(
            .storageFailed,
            "The lease can not be taken or read: could not \(what) \(path). Nothing was recorded; "
                + "check that the ledger's folder is writable for this user.",
            cause: String(cString: strerror(code)))
    }
}

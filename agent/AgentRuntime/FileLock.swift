import AgentProtocol
import Glibc

/// An exclusive `flock` on a file. It is held until the value is destroyed, or until the last process that inherited
/// its descriptor exits (flock(2)).
struct FileLock: ~Copyable {
    let descriptor: Int32

    /// Takes the lock; nil if another process holds it until the deadline.
    init?(path: String, until deadline: Deadline?) throws(Refusal) {
        let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw Refusal.system(errno, "open \(path)") }
        while flock(opened, LOCK_EX | LOCK_NB) != 0 {
            let failure = errno
            if failure == EWOULDBLOCK, let deadline, !deadline.hasPassed {
                pauseBeforeNextLook()
                continue
            }
            if failure == EINTR { continue }
            close(opened)
            guard failure == EWOULDBLOCK else { throw Refusal.system(failure, "lock \(path)") }
            return nil
        }
        descriptor = opened
    }

    deinit { close(descriptor) }
}

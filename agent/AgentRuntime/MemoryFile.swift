import CLinux
import Glibc

/// A file in memory for a tool of the host, readable only by the agent's user. Nothing is left behind, however the agent ends.
struct MemoryFile: ~Copyable {
    private let descriptor: Int32
    /// Through this process, because a tool does not inherit the descriptor.
    var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

    /// Nil if there is no memory for it; `errno` says why.
    init?(_ bytes: [UInt8]) {
        descriptor = clinux_memory_file()
        guard descriptor >= 0 else { return nil }
        let failure = writeAll(descriptor, bytes)
        guard failure == 0 else {
            errno = failure
            return nil
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}

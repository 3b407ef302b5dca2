import ContentDigest
import Glibc
import UpgradeDomain

/// A script that is about to run, as it was found at its path. A record vouches only for these bytes.
///
/// Anyone with write access there can replace the file between this check and the start, or before an interpreter opens
/// it. ``isReplaced`` detects a file that is still, or again, different from the digested one. More is not possible
/// when a script is started by its path, because an interpreter opens the path itself.
struct Instrument {
    /// The digest of its first ``AgentLimits/scriptBytes``; nil if it cannot be read.
    let digest: Digest?
    private let path: String
    private let file: FileState?

    /// The file at a path, and when it was last changed. Changing a file, or renaming another one to its path, always
    /// changes this (inode(7)).
    private struct FileState: Hashable {
        var device: dev_t
        var inode: ino_t
        var seconds: Int
        var nanoseconds: Int

        /// Nil if there is no regular file.
        init?(at path: String) {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            self.init(status)
        }

        init(_ status: stat) {
            (device, inode) = (status.st_dev, status.st_ino)
            (seconds, nanoseconds) = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
        }

        /// File systems can distinguish times that are at least this far apart; kernels count in ticks of up to 10 ms.
        static let tick: Duration = .milliseconds(20)

        /// Whether it was changed in the present tick: a second change would leave the same time.
        var mayChangeUnseen: Bool {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            let age = Duration.seconds(now.tv_sec - seconds) + .nanoseconds(now.tv_nsec - nanoseconds)
            return age >= .zero && age < FileState.tick
        }
    }

    /// Inspects a script right before it is started.
    init(of path: String) {
        self.path = path
        let descriptor = openOrdinaryFile(path)
        guard descriptor >= 0 else {
            // A program may be executable without being readable.
            (digest, file) = (nil, FileState(at: path))
            return
        }
        defer { close(descriptor) }
        var status = stat()
        var file = fstat(descriptor, &status) == 0 ? FileState(status) : nil
        if file?.mayChangeUnseen == true {
            pause(FileState.tick)
            file = fstat(descriptor, &status) == 0 ? FileState(status) : nil
        }
        self.file = file
        digest = Digest.ofFile(descriptor: descriptor, limitBytes: Int64(AgentLimits.scriptBytes))
    }

    /// Whether the path now leads to a different file, or the file was changed.
    var isReplaced: Bool {
        FileState(at: path) != file
    }
}

import ContentDigest
import Glibc
import UpgradeDomain

/// A script that is about to run, as it was found at its path: a record vouches for these bytes only.
///
/// Whoever may write there can put another file in place between the look and the start, or while an interpreter has yet to open it.
/// ``isReplaced`` notices what is still, or once more, not the file that was digested; nobody can do better who starts a script by its
/// path, as an interpreter opens it by itself.
struct Instrument {
    /// Of its first ``AgentLimits/scriptBytes``; nil for what can not be read.
    let digest: Digest?
    private let path: String
    private let file: FileState?

    /// The file at a path, and when it was last touched: nothing changes a file, or renames another one to its path, without changing
    /// this (inode(7)).
    private struct FileState: Hashable {
        var device: dev_t
        var inode: ino_t
        var seconds: Int
        var nanoseconds: Int

        /// Nil where no ordinary file is.
        init?(at path: String) {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            self.init(status)
        }

        init(_ status: stat) {
            (device, inode) = (status.st_dev, status.st_ino)
            (seconds, nanoseconds) = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
        }

        /// File systems tell times apart that are so far from each other; kernels count in ticks of up to 10 ms.
        static let tick: Duration = .milliseconds(20)

        /// Whether it was touched in the present tick: a second touch would leave the same time.
        var mayChangeUnseen: Bool {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            let age = Duration.seconds(now.tv_sec - seconds) + .nanoseconds(now.tv_nsec - nanoseconds)
            return age >= .zero && age < FileState.tick
        }
    }

    /// Looks at a script right before it is started.
    init(of path: String) {
        self.path = path
        let descriptor = openOrdinaryFile(path)
        guard descriptor >= 0 else {
            // Whoever may execute a program need not read it.
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

    /// Whether the path leads to another file by now, or the file was touched.
    var isReplaced: Bool {
        FileState(at: path) != file
    }
}

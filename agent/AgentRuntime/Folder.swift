import AgentProtocol
import CLinux
import Glibc

/// A folder whose files are whole or absent, also after power loss: temporary file, fsync, rename, fsync of the
/// folder (fsync(2), rename(2)).
struct Folder: Sendable {
    let path: String

    func subfolder(_ name: String) -> Folder { Folder(path: "\(path)/\(name)") }
    func path(of name: String) -> String { "\(path)/\(name)" }

    /// Makes the folder, and those above it, readable by its owner only.
    func create() throws(Refusal) {
        if mkdir(path, 0o700) == 0 { return try parent.sync() }
        switch errno {
        case EEXIST: return
        case ENOENT where path.contains("/"):
            try parent.create()
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Refusal.system(errno, "make \(path)") }
            try parent.sync()
        default: throw Refusal.system(errno, "make \(path)")
        }
    }

    var parent: Folder {
        guard let slash = path.lastIndex(of: "/") else { return Folder(path: ".") }
        return Folder(path: slash == path.startIndex ? "/" : String(path[..<slash]))
    }

    /// The names in the folder, without those that start with a dot; none when there is no folder.
    func names() -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    func contains(_ name: String) -> Bool { access(path(of: name), F_OK) == 0 }

    /// A file's bytes; nil when there is no such file.
    func read(_ name: String, limitBytes: Int = AgentLimits.stateFileBytes) throws(Refusal) -> [UInt8]? {
        let descriptor = open(path(of: name), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw Refusal.system(errno, "open \(path(of: name))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw Refusal.system(errno, "read \(path(of: name))")
            }
            bytes += chunk[..<count]
            guard bytes.count <= limitBytes else {
                throw Refusal(.limitExceeded, "\(path(of: name)) is larger than \(limitBytes) bytes")
            }
        }
    }

    /// Replaces a file durably.
    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws(Refusal) {
        let temporary = path(of: ".\(name).\(getpid())")
        try fill(temporary, bytes, mode: mode, flags: O_TRUNC)
        guard rename(temporary, path(of: name)) == 0 else {
            let failure = errno
            unlink(temporary)
            throw Refusal.system(failure, "rename \(temporary)")
        }
        try sync()
    }

    /// Writes a file durably unless it exists; false when it does. `reserve` names a file that ``reserve(_:bytes:)``
    /// made, whose room is used.
    func writeOnce(_ name: String, _ bytes: [UInt8], reserve: String? = nil) throws(Refusal) -> Bool {
        let temporary = path(of: reserve ?? ".\(name).\(getpid())")
        try fill(temporary, bytes, mode: 0o600, flags: 0)
        let failure = clinux_rename_new(temporary, path(of: name))
        if failure != 0 { unlink(temporary) }
        guard failure == 0 || failure == EEXIST else { throw Refusal.system(failure, "rename \(temporary)") }
        try sync()
        return failure == 0
    }

    /// Makes a file that takes up room on disk for later.
    func reserve(_ name: String, bytes: Int) throws(Refusal) {
        let descriptor = open(path(of: name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Refusal.system(errno, "make \(path(of: name))") }
        defer { close(descriptor) }
        let failure = posix_fallocate(descriptor, 0, off_t(bytes))
        guard failure == 0 else { throw Refusal.system(failure, "reserve \(bytes) bytes in \(path(of: name))") }
        guard fsync(descriptor) == 0 else { throw Refusal.system(errno, "sync \(path(of: name))") }
    }

    /// Makes the folder's entries durable.
    func sync() throws(Refusal) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Refusal.system(errno, "open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Refusal.system(errno, "sync \(path)") }
    }

    /// Deletes the folder's files and the folder; what can not be deleted stays.
    func discard() {
        for name in names() { unlink(path(of: name)) }
        rmdir(path)
    }

    private func fill(_ file: String, _ bytes: [UInt8], mode: mode_t, flags: Int32) throws(Refusal) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode)
        guard descriptor >= 0 else { throw Refusal.system(errno, "make \(file)") }
        defer { close(descriptor) }
        var failure = writeAll(descriptor, bytes)
        if failure == 0, ftruncate(descriptor, off_t(bytes.count)) != 0 { failure = errno }
        if failure == 0, fsync(descriptor) != 0 { failure = errno }
        guard failure == 0 else {
            unlink(file)
            throw Refusal.system(failure, "write \(file)")
        }
    }
}

/// Writes all bytes to a descriptor; 0 or the errno.
func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Int32 {
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written) }
        if count < 0, errno != EINTR { return errno }
        written += max(count, 0)
    }
    return 0
}

extension Refusal {
    /// A system call's failure: a full disk is told apart, everything else is the agent's own trouble.
    static func system(_ code: Int32, _ action: String) -> Refusal {
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            Refusal(.diskFull, "can not \(action): \(systemErrorText(code)); free space on the host and try again")
        default:
            Refusal(.internalFailure, "can not \(action): \(systemErrorText(code))")
        }
    }
}

package import AgentProtocol
import CLinux
import ContentDigest
import Glibc
import SafeText
package import UpgradeDomain

/// The host's file system as a ``Disk``: temporary file, fsync, rename, fsync of the folder (fsync(2), rename(2)).
package struct FileSystem: Disk {
    package init() {}

    package func makeFolder(_ path: String) throws(Refusal) {
        try makeMissing(path)
        try requireOwn(path)
    }

    private func makeMissing(_ path: String) throws(Refusal) {
        let parent = Folder(path: path).parent.path
        if mkdir(path, 0o700) == 0 { return try sync(parent) }
        switch errno {
        case EEXIST: return
        case ENOENT where path.holds(anyOf: "/"):
            try makeMissing(parent)
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Refusal.system(errno, "make \(path)") }
            try sync(parent)
        default: throw Refusal.system(errno, "make \(path)")
        }
    }

    /// Anyone else who can write to one of the agent's folders could control what the agent believes.
    private func requireOwn(_ path: String) throws(Refusal) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Refusal.system(errno, "inspect \(path)") }
        guard status.st_uid == geteuid() || status.st_uid == 0, status.st_mode & 0o022 == 0 else {
            throw Refusal(
                .internalFailure,
                "accounts other than the agent's can write \(path) (owner \(status.st_uid)), so its content is not "
                    + "trusted; nothing was done. On the host: chown \(geteuid()) \(path); chmod 700 \(path)")
        }
    }

    package func names(in path: String) -> [String] {
        allNames(in: path).filter { !$0.begins(with: ".") }
    }

    package func contains(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package func read(_ path: String, limitBytes: Int) throws(Refusal) -> [UInt8]? {
        let descriptor = openOrdinaryFile(path)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            if errno == EINVAL { throw Refusal(.internalFailure, "\(path) is not a regular file") }
            throw Refusal.system(errno, "open \(path)")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw Refusal.system(errno, "read \(path)")
            }
            bytes += chunk[..<count]
            guard bytes.count <= limitBytes else {
                throw Refusal(.limitExceeded, "\(path) is larger than \(limitBytes) bytes")
            }
        }
    }

    package func replace(
        _ path: String, _ pieces: [(fromByte: Int64, bytes: [UInt8])], mode: FileMode
    ) throws(Refusal) {
        let temporary = temporary(for: path)
        try fill(temporary, pieces, mode: mode, flags: O_TRUNC)
        guard rename(temporary, path) == 0 else {
            let failure = errno
            unlink(temporary)
            throw Refusal.system(failure, "rename \(temporary)")
        }
        try sync(Folder(path: path).parent.path)
    }

    package func writeOnce(_ path: String, _ bytes: [UInt8], reserve: String?) throws(Refusal) -> Bool {
        let temporary = reserve ?? temporary(for: path)
        try fill(temporary, [(fromByte: 0, bytes: bytes)], mode: .private, flags: 0)
        let failure = clinux_rename_new(temporary, path)
        if failure != 0 { unlink(temporary) }
        guard failure == 0 || failure == EEXIST else { throw Refusal.system(failure, "rename \(temporary)") }
        try sync(Folder(path: path).parent.path)
        return failure == 0
    }

    package func reserve(_ path: String, bytes: Int) throws(Refusal) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Refusal.system(errno, "make \(path)") }
        defer { close(descriptor) }
        let failure = posix_fallocate(descriptor, 0, off_t(bytes))
        guard failure == 0 else { throw Refusal.system(failure, "reserve \(bytes) bytes for \(path)") }
        guard fsync(descriptor) == 0 else { throw Refusal.system(errno, "sync \(path)") }
    }

    package func discard(_ path: String) {
        guard unlink(path) != 0, errno == EISDIR || errno == EPERM else { return }
        for name in allNames(in: path) { discard("\(path)/\(name)") }
        rmdir(path)
    }

    package func modifiedAt(_ path: String) -> Int64 {
        var status = stat()
        guard stat(path, &status) == 0 else { return 0 }
        let (nanoseconds, isBeyond) = Int64(status.st_mtim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        if isBeyond { return status.st_mtim.tv_sec < 0 ? .min : .max }
        return nanoseconds.addingReportingOverflow(Int64(status.st_mtim.tv_nsec)).partialValue
    }

    package func byteCount(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    package func slice(of path: String, fromByte: Int64, limitBytes: Int) throws(Refusal) -> [UInt8] {
        let descriptor = openOrdinaryFile(path)
        guard descriptor >= 0 else {
            if errno == ENOENT { return [] }
            throw Refusal.system(errno, "open \(path)")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limitBytes)
        let read = pread(descriptor, &bytes, bytes.count, off_t(fromByte))
        guard read >= 0 else { throw Refusal.system(errno, "read \(path)") }
        return Array(bytes[..<read])
    }

    package func digest(of path: String, limitBytes: Int64) -> Digest? { Digest.ofFile(path, limitBytes: limitBytes) }

    // MARK: Private

    private func temporary(for path: String) -> String {
        let file = Folder(path: path)
        return file.parent.path(of: ".\(file.name).\(getpid())")
    }

    /// Includes names that begin with a dot: temporary files of processes that were killed.
    func allNames(in path: String) -> [String] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes a folder's entries durable.
    private func sync(_ path: String) throws(Refusal) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Refusal.system(errno, "open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Refusal.system(errno, "sync \(path)") }
    }

    private func fill(
        _ file: String, _ pieces: [(fromByte: Int64, bytes: [UInt8])], mode: FileMode, flags: Int32
    ) throws(Refusal) {
        let bits: mode_t =
            switch mode {
            case .private: 0o600
            case .privateProgram: 0o700
            }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, bits)
        guard descriptor >= 0 else { throw Refusal.system(errno, "make \(file)") }
        defer { close(descriptor) }
        var failure: Int32 = 0
        for piece in pieces where failure == 0 {
            failure = lseek(descriptor, off_t(piece.fromByte), SEEK_SET) < 0 ? errno : writeAll(descriptor, piece.bytes)
        }
        let size = pieces.last.map { $0.fromByte + Int64($0.bytes.count) } ?? 0
        if failure == 0, ftruncate(descriptor, off_t(size)) != 0 { failure = errno }
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
    /// A failed system call: a full disk has its own error, everything else is an internal error of the agent.
    static func system(_ code: Int32, _ action: String) -> Refusal {
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            Refusal(.diskFull, "can not \(action): \(systemErrorText(code)); free space on the host and try again")
        default:
            Refusal(.internalFailure, "can not \(action): \(systemErrorText(code))")
        }
    }
}

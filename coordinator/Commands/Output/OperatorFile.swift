import CLinux
import Foundation
import Glibc
import OperatorCommands
import SafeText

/// A file that a command writes for the operator: all of it is there, or nothing.
///
/// It is written beside its place under another name, synchronised and then renamed. A full disk or a crash leaves no empty
/// file, which would be refused as an existing one, or read as an empty one.
struct OperatorFile {
    let path: String
    /// Whether a file that is there is replaced. Else it is an error, whoever made it and when.
    var replacing = false

    struct Failure: Error, CustomStringConvertible {
        var code: Int32
        var description: String { String(cString: strerror(code)) }
    }

    /// What is no regular file, such as a pipe or a terminal, is written directly.
    func write(_ bytes: [UInt8]) throws(Failure) {
        var status = stat()
        let isThere = stat(path, &status) == 0
        if isThere, !replacing { throw Failure(code: EEXIST) }
        if isThere, status.st_mode & S_IFMT != S_IFREG { return try writeDirectly(bytes) }
        // A link stays, and its target is replaced.
        let place = isThere ? OperatorFile.target(of: path) : path
        let folder = place.cut(atLast: "/").map { $0.before.isEmpty ? "/" : String($0.before) } ?? "."
        let temporary = "\(folder)/.lockflight-\(UUID().uuidString)"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw Failure(code: errno) }
        defer { unlink(temporary) }
        do throws(Failure) {
            if isThere { try OperatorFile.require(fchmod(file, status.st_mode & 0o777)) }
            try OperatorFile.write(bytes, to: file)
            try OperatorFile.require(fsync(file))
        } catch {
            close(file)
            throw error
        }
        // Some file systems report a full disk only now.
        try OperatorFile.require(close(file))
        try OperatorFile.move(temporary, to: place, replacing: replacing)
        let parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { return }
        fsync(parent)
        close(parent)
    }

    private static func target(of path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private func writeDirectly(_ bytes: [UInt8]) throws(Failure) {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw Failure(code: errno) }
        defer { close(file) }
        try OperatorFile.write(bytes, to: file)
    }

    private static func write(_ bytes: [UInt8], to file: Int32) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(code: count == 0 ? EIO : errno) }
            rest = rest.dropFirst(count)
        }
    }

    private static func move(_ temporary: String, to place: String, replacing: Bool) throws(Failure) {
        if replacing { return try require(rename(temporary, place)) }
        if link(temporary, place) == 0 { return }
        let code = errno
        // A file system without links: the name is claimed first.
        guard [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(code) else { throw Failure(code: code) }
        let claim = open(place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard claim >= 0 else { throw Failure(code: errno) }
        close(claim)
        guard rename(temporary, place) == 0 else {
            let code = errno
            unlink(place)
            throw Failure(code: code)
        }
    }

    private static func require(_ result: Int32) throws(Failure) {
        if result != 0 { throw Failure(code: errno) }
    }
}

extension Context {
    /// Writes a file for the operator, whole or not at all.
    ///
    /// - Parameters:
    ///   - replacing: whether a file that is there is replaced.
    ///   - consequence: what is said of a failure.
    ///   - next: what to run after a failure; nil to look at the place.
    func write(
        _ bytes: [UInt8], to file: String, replacing: Bool = false, consequence: String = "Nothing was written.",
        next: OperatorCommand? = nil
    ) throws {
        do throws(OperatorFile.Failure) {
            try OperatorFile(path: file, replacing: replacing).write(bytes)
        } catch {
            let folder = file.cut(atLast: "/").map { $0.before.isEmpty ? "/" : String($0.before) } ?? "."
            let isFull = [ENOSPC, EDQUOT, EFBIG].contains(error.code)
            let look = isFull ? ["df", "-h", "--", folder] : ["ls", "-ld", "--", error.code == EEXIST ? file : folder]
            throw CommandError(
                .failure, "\(file) could not be written: \(error)", consequence: consequence,
                next: next ?? .program(words: look))
        }
    }

    func write(
        _ text: String, to file: String, replacing: Bool = false, consequence: String = "Nothing was written.",
        next: OperatorCommand? = nil
    ) throws {
        try write(Array(text.utf8), to: file, replacing: replacing, consequence: consequence, next: next)
    }
}

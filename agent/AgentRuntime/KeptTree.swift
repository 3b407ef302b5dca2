import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// A folder in its state from before a run changed anything, or a single file.
struct KeptTree: Codable, Hashable {
    /// The owner of a file or folder, and its permission bits.
    struct Access: Codable, Hashable {
        var mode: UInt32
        var user: UInt32
        var group: UInt32

        init(_ status: stat) {
            (mode, user, group) = (UInt32(status.st_mode & 0o777), status.st_uid, status.st_gid)
        }
    }
    struct File: Codable, Hashable {
        var digest: Digest
        var bytes: Int
        /// Nil for files that an agent of the first release kept.
        var access: Access?
    }
    /// Keyed by the path below the root; "" if the root is itself a file.
    var files: [String: File] = [:]
    /// The targets of symbolic links that stay below the root, or lead to folders.
    var links: [String: String] = [:]
    /// Each folder; the root itself is "".
    var folders: [String: Access] = [:]
    /// Other roots that are placed whenever this one is.
    var companions: [String] = []

    var isFile: Bool { files[""] != nil }
    var entries: Int { files.count + links.count + folders.count }
    var bytes: Int { files.values.reduce(0) { $0 + $1.bytes } }

    /// The first file or link below a root that has changed; nil if none has.
    func change(below root: String) -> String? {
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            let path = name.isEmpty ? root : "\(root)/\(name)"
            if Digest.ofFile(path) != file.digest { return path }
            var status = stat()
            guard let access = file.access, stat(path, &status) == 0 else { continue }
            if UInt32(status.st_mode) & 0o111 != access.mode & 0o111 { return path }
        }
        for (name, target) in links.sorted(by: { $0.key < $1.key })
        where SystemFile.link("\(root)/\(name)") != target {
            return "\(root)/\(name)"
        }
        return nil
    }
}

/// Where the kept copy of a root is placed while a command of the rollback runs: next to the root. This way `..` and
/// paths relative to the script work, and git can still replace the root.
enum PlacedPath {
    /// Part of every such name; git is configured to ignore names that contain it.
    static func mark(of run: RunID) -> String { ".lockflight-" + StateFolder.fileName(of: run.rawValue) }

    /// `scripts` -> `scripts.lockflight-RUN`; a file becomes a hidden file next to the original.
    static func of(_ root: String, isFile: Bool, run: RunID) -> String {
        let mark = mark(of: run)
        guard isFile, let parts = root.cut(atLast: "/") else { return root + mark }
        return "\(parts.before)/.\(parts.after)\(mark)"
    }

    /// The placed path for a path below a root; nil for any other path.
    static func of(_ path: String, below root: String, placedAt placed: String) -> String? {
        if path.isSpelled(root) { return placed }
        guard path.begins(with: root + "/") else { return nil }
        return placed + String(decoding: path.utf8.dropFirst(root.utf8.count), as: UTF8.self)
    }

    /// A path with `..` removed, by its text alone.
    static func flat(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.fields(separatedBy: "/") where !part.isSpelled(".") {
            if part.isSpelled("..") { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}

import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// A folder as it was before a run changed anything, or a single file.
struct KeptTree: Codable, Hashable {
    struct File: Codable, Hashable {
        var digest: Digest
        /// Permission bits.
        var mode: UInt32
    }
    /// By the path below the root; "" where the root is a file itself.
    var files: [String: File] = [:]
    /// What symbolic links say.
    var links: [String: String] = [:]
    /// Folders that hold nothing else as well, and their permission bits.
    var folders: [String: UInt32] = [:]
    /// Other roots that are placed wherever this one is.
    var companions: [String] = []

    var isFile: Bool { files[""] != nil }

    /// The first file that is not what it was, below a root; nil where all are.
    func change(below root: String) -> String? {
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            let path = name.isEmpty ? root : "\(root)/\(name)"
            if Digest.ofFile(path) != file.digest { return path }
        }
        return nil
    }
}

/// Where what was kept of a root stands while a command of the way back runs: beside the root, so that `..` and whatever a script
/// finds through its own place are right, and git may still replace the root.
enum PlacedPath {
    /// In every name; git is told to overlook what ends so.
    static func ending(of run: RunID) -> String { ".lockflight-" + OperationJournal.fileName(of: run.rawValue) }

    /// `scripts` -> `scripts.lockflight-RUN`; a file is hidden beside itself.
    static func of(_ root: String, isFile: Bool, run: RunID) -> String {
        let ending = ending(of: run)
        guard isFile, let parts = root.cut(atLast: "/") else { return root + ending }
        return "\(parts.before)/.\(parts.after)\(ending)"
    }

    /// What a path below a root is there; nil for any other path.
    static func of(_ path: String, below root: String, placedAt placed: String) -> String? {
        if path.isSpelled(root) { return placed }
        guard path.begins(with: root + "/") else { return nil }
        return placed + String(decoding: path.utf8.dropFirst(root.utf8.count), as: UTF8.self)
    }
}

import Glibc
import SafeText

/// The parts of paths that accounts other than root and the agent's can write: such an account can control what runs.
struct ExposedPaths {
    /// The maximum number listed; the first ones are enough.
    static let most = 20

    /// Each one once, with who can write it.
    private(set) var found: [String] = []
    private var seen: Set<String> = []

    /// Checks a file and each folder above it.
    mutating func look(at path: String) {
        var part = ""
        for name in path.fields(separatedBy: "/") {
            part += "/\(name)"
            guard seen.insert(part).inserted, found.count < ExposedPaths.most else { continue }
            if let who = ExposedPaths.writers(of: part) { found.append("\(part) (\(who))") }
        }
    }

    private static func writers(of path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        if status.st_uid != 0, status.st_uid != geteuid() { return "owner \(status.st_uid)" }
        let kind = status.st_mode & S_IFMT
        // In a sticky folder only an entry's owner may replace it, and a link has no mode of its own.
        if kind == S_IFLNK || (kind == S_IFDIR && status.st_mode & 0o1000 != 0) { return nil }
        if status.st_mode & 0o002 != 0 { return "everybody" }
        return status.st_mode & 0o020 != 0 ? "group \(status.st_gid)" : nil
    }
}

import AgentProtocol
import Failpoints
import Glibc
import SafeText
import UpgradeDomain

/// What was kept for a way back, put beside what it was taken from for as long as one command runs.
///
/// What is about to be made is durable in the operation's folder before it is made; whoever next looks after the operation removes what
/// a supervisor that died has left (``removeLeft(in:)``).
struct PlacedCopy {
    /// In the operation's folder.
    private struct Record: Codable {
        var paths: [String]
        /// The checkout's own list of what git overlooks, and the line that is in it meanwhile.
        var exclude: String?
        var line: String
    }

    private static let recordName = "placed.json"

    private let folder: Folder
    /// Root -> where it stands now.
    private let placed: [String: String]

    /// - Parameter folder: the operation's.
    init(_ roots: [String: KeptTree], of kept: KeptFiles, in folder: Folder) throws(Refusal) {
        self.folder = folder
        var placed: [String: String] = [:]
        for (root, tree) in roots { placed[root] = PlacedPath.of(root, isFile: tree.isFile, run: kept.run) }
        self.placed = placed
        let exclude = roots.keys.sorted().lazy.compactMap(GitExclude.file(above:)).first
        let record = Record(
            paths: placed.values.sorted(), exclude: exclude, line: "*" + PlacedPath.ending(of: kept.run))
        for path in record.paths { FileSystem().discard(path) }
        try folder.writeJSON(PlacedCopy.recordName, record)
        Failpoint.copyRecorded.pass()
        do {
            if let exclude { try GitExclude.add(record.line, to: exclude) }
            for (root, path) in placed { try PlacedCopy.make(roots[root] ?? KeptTree(), at: path, kept) }
            Failpoint.copyPlaced.pass()
        } catch {
            remove()
            throw error
        }
    }

    // MARK: The command

    /// Makes a command run from the copy.
    func redirect(_ setting: inout CommandSetting, word: String, in workingDirectory: String) throws(Refusal) {
        if let there = counterpart(of: setting.workingDirectory) { setting.workingDirectory = there }
        guard let script = counterpart(of: setting.script), let position = setting.arguments.firstIndex(of: word) else {
            return try redirectMentions(in: &setting, workingDirectory)
        }
        if absolutePath(word, in: setting.workingDirectory) != script {
            setting.arguments[position] = respelled(
                word, for: setting.script, as: script, in: setting.workingDirectory)
        }
        setting.script = script
    }

    /// As the plan writes it, where that names the root: a relative path stays one.
    private func respelled(_ word: String, for script: String, as there: String, in directory: String) -> String {
        for (root, path) in placed {
            guard let rest = PlacedPath.of(script, below: root, placedAt: ""), let old = root.cut(atLast: "/")?.after,
                let new = path.cut(atLast: "/")?.after, word.ends(with: old + rest)
            else { continue }
            let other = String(decoding: word.utf8.dropLast((old + rest).utf8.count), as: UTF8.self) + new + rest
            if absolutePath(other, in: directory).isSpelled(there) { return other }
        }
        return there
    }

    private func redirectMentions(in setting: inout CommandSetting, _ workingDirectory: String) throws(Refusal) {
        var isRedirected = false
        for (root, path) in placed.sorted(by: { $0.key < $1.key }) {
            let base = absolutePath("", in: workingDirectory)
            for (mention, other) in zip(Reference.texts(of: root, in: base), Reference.texts(of: path, in: base)) {
                for index in setting.arguments.indices {
                    guard let text = Reference.replacing(mention, by: other, in: setting.arguments[index]) else {
                        continue
                    }
                    setting.arguments[index] = text
                    isRedirected = true
                }
            }
        }
        if let script = counterpart(of: setting.script) { setting.script = script }
        guard isRedirected else {
            throw Refusal(
                .internalFailure,
                "\(setting.script) has changed since the run began, and the command does not name it where its kept copy could be put"
            )
        }
    }

    private func counterpart(of path: String) -> String? {
        for (root, place) in placed {
            if let there = PlacedPath.of(path, below: root, placedAt: place) { return there }
        }
        return nil
    }

    // MARK: The end

    /// Whether something removed it meanwhile, such as a `git clean`.
    var hasVanished: Bool { placed.values.contains { access($0, F_OK) != 0 } }

    func remove() { PlacedCopy.removeLeft(in: folder) }

    /// Removes what a command's copy has left; nothing where there is none.
    static func removeLeft(in folder: Folder) {
        guard let record = try? folder.value(Record.self, of: recordName) else { return }
        for path in record.paths { FileSystem().discard(path) }
        if let exclude = record.exclude { GitExclude.remove(record.line, from: exclude) }
        folder.subfolder(recordName).discard()
    }

    // MARK: Files

    private static func make(_ tree: KeptTree, at path: String, _ kept: KeptFiles) throws(Refusal) {
        if let file = tree.files[""] { return try write(try kept.bytes(of: file), file.mode, to: path) }
        try makeFolder(path, 0o755)
        // Those above come before those below.
        for (name, mode) in tree.folders.sorted(by: { $0.key < $1.key }) { try makeFolder("\(path)/\(name)", mode) }
        for (name, file) in tree.files { try write(try kept.bytes(of: file), file.mode, to: "\(path)/\(name)") }
        for (name, target) in tree.links where symlink(target, "\(path)/\(name)") != 0 {
            throw Refusal.system(errno, "place \(path)/\(name)")
        }
    }

    private static func makeFolder(_ path: String, _ mode: UInt32) throws(Refusal) {
        guard mkdir(path, 0o700) == 0, chmod(path, mode_t(mode | 0o700)) == 0 else {
            throw Refusal.system(errno, "place \(path)")
        }
    }

    private static func write(_ bytes: [UInt8], _ mode: UInt32, to path: String) throws(Refusal) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Refusal.system(errno, "place \(path)") }
        defer { close(descriptor) }
        let failure = writeAll(descriptor, bytes)
        guard failure == 0, fchmod(descriptor, mode_t(mode)) == 0 else {
            throw Refusal.system(failure == 0 ? errno : failure, "place \(path)")
        }
    }
}

/// A checkout's own list of what git overlooks (gitignore(5), `info/exclude`): a script that asks for a clean tree must not trip over what
/// stands there for its sake.
enum GitExclude {
    /// The list of the checkout that a path is in; nil where it is in none.
    static func file(above path: String) -> String? {
        var folder = Folder(path: path).parent
        while true {
            let entry = folder.path(of: ".git")
            if FileSystem().contains(entry) {
                return commonFolder(of: entry, in: folder.path).map { $0 + "/info/exclude" }
            }
            if folder.path.isSpelled("/") || folder.path.isSpelled(".") { return nil }
            folder = folder.parent
        }
    }

    /// A linked worktree or a submodule has a file that says where its folder is, and that one where the common one is.
    private static func commonFolder(of entry: String, in folder: String) -> String? {
        if !isRegularFile(entry) { return entry }
        guard let text = firstLine(of: entry)?.rest(after: "gitdir: ") else { return nil }
        let own = absolutePath(String(text), in: folder)
        return firstLine(of: own + "/commondir").map { absolutePath($0, in: own) } ?? own
    }

    private static func firstLine(of path: String) -> String? {
        guard let bytes = try? FileSystem().read(path, limitBytes: 65_536) else { return nil }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    static func add(_ line: String, to file: String) throws(Refusal) {
        let before = try FileSystem().read(file, limitBytes: AgentLimits.stateFileBytes) ?? []
        guard !lines(before).contains(where: { $0.elementsEqual(line.utf8) }) else { return }
        let separator: [UInt8] = before.isEmpty || before.last == 0x0a ? [] : [0x0a]
        try replace(file, before + separator + Array(line.utf8) + [0x0a])
    }

    /// As it was before, but for what others wrote meanwhile.
    static func remove(_ line: String, from file: String) {
        guard let bytes = try? FileSystem().read(file, limitBytes: AgentLimits.stateFileBytes) else { return }
        let kept = lines(bytes).filter { !$0.elementsEqual(line.utf8) }
        let rest = Array(kept.joined(separator: [0x0a]))
        if rest != bytes { try? replace(file, rest) }
    }

    private static func lines(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
    }

    /// Keeps the file's mode and owner.
    private static func replace(_ file: String, _ bytes: [UInt8]) throws(Refusal) {
        var status = stat()
        let isThere = stat(file, &status) == 0
        try FileSystem().replace(file, bytes, mode: .private)
        if isThere {
            _ = chown(file, status.st_uid, status.st_gid)
            _ = chmod(file, status.st_mode & 0o777)
        } else {
            _ = chmod(file, 0o644)
        }
    }
}

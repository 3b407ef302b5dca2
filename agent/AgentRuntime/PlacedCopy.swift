import AgentProtocol
import Failpoints
import Glibc
import SafeText
import UpgradeDomain

/// The kept copy for a rollback, placed next to the original for as long as one command runs.
///
/// Everything that will be created is first recorded durably in the operation's folder. If a supervisor died, the next
/// code that handles the operation removes what was left (``removeLeft(in:)``).
struct PlacedCopy {
    /// In the operation's folder.
    private struct Record: Codable {
        /// The present targets of links: a command may change them.
        var paths: [String] = []
        /// Parent folders that had to be created, the deepest first.
        var folders: [String] = []
        /// The checkouts' own git ignore lists, and the line that is in them meanwhile.
        var excludes: [String] = []
        var line: String
    }

    private static let recordName = "placed.json"

    private let folder: Folder
    private let record: Record
    /// Each root, and where its copy is now; the outermost first.
    private let placed: [(root: String, path: String)]

    /// - Parameter folder: the operation's folder.
    init(_ roots: [String: KeptTree], of kept: KeptFiles, in folder: Folder) throws(Refusal) {
        self.folder = folder
        let disk = FileSystem()
        var record = Record(line: "*\(PlacedPath.mark(of: kept.run))*")
        var placed: [(root: String, path: String)] = []
        for root in roots.keys.sorted(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) {
            let path = PlacedCopy.freePath(for: root, isFile: roots[root]?.isFile == true, run: kept.run)
            placed.append((root, path))
            var above = Folder(path: path).parent.path
            let real = SystemFile.realPath(above)
            record.paths.append(real.map { "\($0)/\(Folder(path: path).name)" } ?? path)
            while !disk.contains(above), !above.isSpelled("/") {
                if !record.folders.contains(above) { record.folders.append(above) }
                above = Folder(path: above).parent.path
            }
            if let list = GitExclude.file(above: root), !record.excludes.contains(list) { record.excludes.append(list) }
        }
        self.record = record
        self.placed = placed
        try folder.writeJSON(PlacedCopy.recordName, record)
        Failpoint.copyRecorded.pass()
        do throws(Refusal) {
            // Best effort: a checkout that cannot be written has no user who needs a clean tree.
            for list in record.excludes { try? GitExclude.add(record.line, to: list) }
            for above in record.folders.sorted(by: { $0.utf8.count < $1.utf8.count }) where mkdir(above, 0o755) != 0 {
                throw Refusal.system(errno, "make \(above) for a kept copy")
            }
            for (root, path) in placed { try PlacedCopy.make(roots[root] ?? KeptTree(), at: path, kept) }
            Failpoint.copyPlaced.pass()
        } catch {
            remove()
            throw error
        }
    }

    /// Removes what an earlier command left there. If that cannot be removed, uses another name.
    private static func freePath(for root: String, isFile: Bool, run: RunID) -> String {
        let usual = PlacedPath.of(root, isFile: isFile, run: run)
        FileSystem().discard(usual)
        var (path, number) = (usual, 1)
        while FileSystem().contains(path) {
            number += 1
            path = "\(usual).\(number)"
        }
        return path
    }

    /// Where the copy is, for messages.
    var paths: String { placed.map(\.path).joined(separator: ", ") }

    // MARK: The command

    /// Makes a command run from the copy.
    ///
    /// - Parameters:
    ///   - word: the argument that names the script; nil if none is known.
    ///   - changed: what is reported if the command cannot be redirected.
    func redirect(
        _ setting: inout CommandSetting, _ command: ScriptCommand, word: String?, script: String?, changed: String,
        in workingDirectory: String
    ) throws(Refusal) {
        var isRedirected = false
        if let there = counterpart(of: PlacedPath.flat(setting.workingDirectory)) {
            setting.workingDirectory = there
            isRedirected = true
        }
        if let script, let there = counterpart(of: script) {
            setting.script = there
            if let word, let position = setting.arguments.firstIndex(of: word) {
                if PlacedPath.flat(absolutePath(word, in: setting.workingDirectory)) != there {
                    setting.arguments[position] = respelled(
                        word, for: script, as: there, in: setting.workingDirectory)
                }
                return
            }
        }
        if command.isShellText || command.script != nil {
            isRedirected = redirectMentions(in: &setting, workingDirectory) || isRedirected
        }
        guard isRedirected else {
            throw Refusal(
                .internalFailure,
                "\(changed) has changed since the run began, and the command does not name it where its kept copy could be put; "
                    + "repair it in place and repeat the rollback")
        }
    }

    /// In the plan's spelling if that names the root: a relative path stays relative.
    private func respelled(_ word: String, for script: String, as there: String, in directory: String) -> String {
        for (root, path) in placed {
            guard let rest = PlacedPath.of(script, below: root, placedAt: ""), let old = root.cut(atLast: "/")?.after,
                let new = path.cut(atLast: "/")?.after, word.ends(with: old + rest)
            else { continue }
            let other = String(decoding: word.utf8.dropLast((old + rest).utf8.count), as: UTF8.self) + new + rest
            if PlacedPath.flat(absolutePath(other, in: directory)).isSpelled(there) { return other }
        }
        return there
    }

    private func redirectMentions(in setting: inout CommandSetting, _ workingDirectory: String) -> Bool {
        var isRedirected = false
        let base = PlacedPath.flat(absolutePath("", in: workingDirectory))
        for (root, path) in placed {
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
        return isRedirected
    }

    private func counterpart(of path: String) -> String? {
        for (root, place) in placed {
            if let there = PlacedPath.of(path, below: root, placedAt: place) { return there }
        }
        return nil
    }

    // MARK: The end

    /// Whether something removed it meanwhile, such as `git clean`.
    var hasVanished: Bool { record.paths.contains { access($0, F_OK) != 0 } }

    func remove() { PlacedCopy.removeLeft(in: folder) }

    /// Removes what a command's copy has left; does nothing if there is none.
    static func removeLeft(in folder: Folder) {
        guard let record = try? folder.value(Record.self, of: recordName) else { return }
        for path in record.paths { FileSystem().discard(path) }
        // Only if they are still empty.
        for above in record.folders.sorted(by: { $0.utf8.count > $1.utf8.count }) { rmdir(above) }
        for list in record.excludes { GitExclude.remove(record.line, from: list) }
        // What could not be removed stays recorded for the next attempt.
        if !record.paths.contains(where: { access($0, F_OK) == 0 }) { folder.subfolder(recordName).discard() }
    }

    // MARK: Files

    private static func make(_ tree: KeptTree, at path: String, _ kept: KeptFiles) throws(Refusal) {
        if let file = tree.files[""] { return try write(file, to: path, kept) }
        // Parents come before their children.
        let folders = tree.folders.sorted { $0.key < $1.key }.map { (name: $0.key, access: $0.value) }
        for (name, _) in folders.isEmpty ? [(name: "", access: nil)] : folders.map({ ($0.name, Optional($0.access)) }) {
            let folder = name.isEmpty ? path : "\(path)/\(name)"
            guard mkdir(folder, 0o700) == 0 else { throw Refusal.system(errno, "make \(folder) for a kept copy") }
        }
        for (name, file) in tree.files { try write(file, to: "\(path)/\(name)", kept) }
        for (name, target) in tree.links where symlink(target, "\(path)/\(name)") != 0 {
            throw Refusal.system(errno, "make \(path)/\(name) for a kept copy")
        }
        // Also if the checkout has its own list that re-includes scripts.
        if tree.files[".gitignore"] == nil, tree.links[".gitignore"] == nil {
            try write(Array("*\n".utf8), nil, to: "\(path)/.gitignore")
        }
        for (name, access) in folders.reversed() { give(access, name.isEmpty ? path : "\(path)/\(name)") }
    }

    private static func write(_ file: KeptTree.File, to path: String, _ kept: KeptFiles) throws(Refusal) {
        try write(try kept.bytes(of: file), file.access, to: path)
        if file.access == nil { chmod(path, 0o700) }
    }

    private static func write(_ bytes: [UInt8], _ access: KeptTree.Access?, to path: String) throws(Refusal) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Refusal.system(errno, "make \(path) for a kept copy") }
        defer { close(descriptor) }
        let failure = writeAll(descriptor, bytes)
        guard failure == 0 else { throw Refusal.system(failure, "write \(path) for a kept copy") }
        if let access { give(access, path) }
    }

    /// Restores the owner, if the agent may, and the permissions.
    private static func give(_ access: KeptTree.Access, _ path: String) {
        if geteuid() == 0 { _ = lchown(path, access.user, access.group) }
        chmod(path, mode_t(access.mode))
    }
}

/// A checkout's own list of files that git ignores (gitignore(5), `info/exclude`). A script that requires a clean tree
/// must not fail because of files that are placed there for it.
enum GitExclude {
    /// The list of the checkout that contains a path; nil if it is in none.
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

    /// A linked worktree or a submodule has a file that says where its folder is, and that folder has one that says
    /// where the common folder is.
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

    /// Restores the file, but keeps what others wrote meanwhile.
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

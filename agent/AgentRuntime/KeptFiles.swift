import AgentProtocol
import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// What the rollback of a run needs, in its state from before the run changed anything: a change may switch the working
/// copy that contains the scripts.
struct KeptFiles: Sendable {
    private let folder: Folder
    let run: RunID
    /// Nothing is written; this is only a test.
    private let isTrial: Bool

    init(state: StateFolder, run: RunID) {
        folder = state.preserved.subfolder(StateFolder.fileName(of: run.rawValue))
        self.run = run
        isTrial = false
    }

    /// What would be kept if nothing is kept yet.
    private init(trialIn state: StateFolder) {
        (folder, run, isTrial) = (state.preserved.subfolder("trial!"), "trial!", true)
    }

    /// Why something that a plan's rollback needs could not be kept, in words. Nothing is written.
    static func problems(keeping orders: [KeepOrder], in workingDirectory: String, _ state: StateFolder) -> [String] {
        let trial = KeptFiles(trialIn: state)
        var trees: [String: KeptTree] = [:]
        return orders.flatMap { trial.add($0, to: &trees, in: workingDirectory) }
    }

    // MARK: Before the change

    /// Keeps what the rollback commands need, unless the run has kept it before: the first copy is the one from before
    /// the change. Call inside `StateFolder.exclusively`.
    ///
    /// - Returns: why something cannot be kept, in words; empty if everything can.
    func keep(_ orders: [KeepOrder], in workingDirectory: String) throws(Refusal) -> [String] {
        var trees = try trees()
        let problems = orders.flatMap { add($0, to: &trees, in: workingDirectory) }
        if !trees.isEmpty { try folder.writeJSON("kept.json", trees) }
        return problems
    }

    private func add(
        _ order: KeepOrder, to trees: inout [String: KeptTree], in workingDirectory: String
    ) -> [String] {
        let named = order.paths.map { PlacedPath.flat(absolutePath($0, in: workingDirectory)) }
        let script = KeptFiles.script(of: order.command, in: workingDirectory) { isRegularFile($0) }?.path
        let holding = script.flatMap { KeptFiles.root(holding: $0, of: trees.keys) }
        let own = holding ?? script.flatMap { KeptFiles.root(of: $0, named, in: workingDirectory) }
        let roots = named + (own.map { named.contains($0) ? [] : [$0] } ?? [])
        var problems: [String] = []
        for root in roots {
            let isNamed = named.contains(root)
            do throws(KeepFailure) {
                var tree =
                    if let known = trees[root] { known } else {
                        try read(root, beside: trees, for: script, isNamed: isNamed)
                    }
                tree.companions = Set(tree.companions + roots.filter { $0 != root }).sorted()
                trees[root] = tree
            } catch {
                if error.isTooMuch, order.scriptWillDo == true, !isNamed, let script,
                    let alone = try? read(script, beside: trees, for: script, isNamed: true)
                {
                    trees[script] = alone
                } else {
                    problems.append(error.words)
                }
            }
        }
        if problems.isEmpty, !named.isEmpty, script == nil,
            mentioned(by: order.command, of: named, in: workingDirectory).isEmpty
        {
            let names = order.paths.joined(separator: ", ")
            problems.append(
                "\(names) (kept for '\(ShellText.line(order.command.arguments))', which names none of these files as "
                    + "its script, so it would not use the kept copy; name the script in the plan "
                    + "with 'script: ./PATH')")
        }
        return problems
    }

    /// Keeps a single file, as requested by coordinators of protocol 1.
    func keep(file path: String) throws(Refusal) {
        var trees = try trees()
        guard trees[path] == nil else { return }
        do throws(KeepFailure) {
            trees[path] = try read(path, beside: trees, for: path, isNamed: true)
        } catch {
            return
        }
        try folder.writeJSON("kept.json", trees)
    }

    /// Nothing of the run has begun on this host, so the present state is still the state before the change.
    func startAgain() { folder.discard() }

    /// The argument of a command that is its script, and its path without `..`: the first whose path is accepted.
    private static func script(
        of command: ScriptCommand, in workingDirectory: String, where isTaken: (String) -> Bool
    ) -> (word: String, path: String)? {
        let directory = absolutePath(command.workingDirectory ?? "", in: workingDirectory)
        let base = PlacedPath.flat(absolutePath("", in: workingDirectory))
        for word in command.wayBackWords {
            let path = PlacedPath.flat(absolutePath(word, in: directory))
            if PlacedPath.of(path, below: base, placedAt: "")?.isEmpty == false, isTaken(path) { return (word, path) }
        }
        return nil
    }

    /// The root that a script below the working directory is kept with: the path named by the plan, else its folder;
    /// only the script if that folder is the working directory itself.
    private static func root(of script: String, _ named: [String], in workingDirectory: String) -> String {
        if let root = root(holding: script, of: named) { return root }
        let parent = Folder(path: script).parent.path
        return parent.isSpelled(PlacedPath.flat(absolutePath("", in: workingDirectory))) ? script : parent
    }

    /// Whether a path is a file that was kept.
    private static func isFile(_ path: String, of trees: [String: KeptTree]) -> Bool {
        trees.contains { root, tree in
            guard let below = PlacedPath.of(path, below: root, placedAt: "") else { return false }
            let name = String(decoding: below.utf8.dropFirst(), as: UTF8.self)
            return tree.files[name] != nil || tree.links[name] != nil
        }
    }

    /// The outermost root that contains a path.
    private static func root(holding path: String, of roots: some Sequence<String>) -> String? {
        roots.filter { PlacedPath.of(path, below: $0, placedAt: "") != nil }.min { $0.utf8.count < $1.utf8.count }
    }

    private struct KeepFailure: Error {
        var words: String
        var isTooMuch = false
    }

    /// - Parameter isNamed: whether the plan names it. If not, files that cannot be read are left out, except the
    ///   script.
    private func read(
        _ root: String, beside trees: [String: KeptTree], for script: String?, isNamed: Bool
    ) throws(KeepFailure) -> KeptTree {
        var tree = KeptTree()
        let budget = KeepBudget(trees.values)
        do throws(Refusal) {
            if !isTrial { try folder.create() }
            try add(root, as: "", to: &tree, budget) { path in isNamed || path == root || path == script }
        } catch {
            throw KeepFailure(words: "\(root) (\(error.message))", isTooMuch: error.code == .limitExceeded)
        }
        return tree
    }

    private func add(
        _ path: String, as name: String, to tree: inout KeptTree, _ budget: KeepBudget, isNeeded: (String) -> Bool
    ) throws(Refusal) {
        var status = stat()
        // A named path may be a link, which stands for its target.
        guard (name.isEmpty ? stat(path, &status) : lstat(path, &status)) == 0 else {
            // A name that is not UTF-8, or the file was removed meanwhile.
            if !name.isEmpty { return }
            throw Refusal(.internalFailure, errno == ENOENT ? "not there" : systemErrorText(errno))
        }
        if status.st_mode & S_IFMT == S_IFLNK, let target = SystemFile.link(path) {
            let leadsOut = target.begins(with: "/") || target.fields(separatedBy: "/").contains { $0.isSpelled("..") }
            // Anyone who can change the target can change the script.
            if !leadsOut || stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFREG {
                tree.links[name] = target
                return try budget.check(tree)
            }
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            let file = Folder(path: path)
            let bytes: [UInt8]
            do throws(Refusal) {
                guard let read = try file.parent.read(file.name, limitBytes: AgentLimits.scriptBytes) else { return }
                bytes = read
            } catch {
                guard isNeeded(path) else { return }
                throw error
            }
            let digest = Digest.sha256(of: bytes)
            tree.files[name] = KeptTree.File(digest: digest, bytes: bytes.count, access: KeptTree.Access(status))
            try budget.check(tree)
            if !isTrial, !folder.contains(digest.rawValue) { try folder.write(digest.rawValue, bytes) }
        case S_IFDIR:
            guard access(path, R_OK | X_OK) == 0 else {
                guard isNeeded(path) else { return }
                throw Refusal(.internalFailure, "its names can not be read: \(systemErrorText(errno))")
            }
            tree.folders[name] = KeptTree.Access(status)
            try budget.check(tree)
            for child in FileSystem().allNames(in: path).sorted() where !KeptFiles.isLeftOut(child) {
                try add(
                    "\(path)/\(child)", as: name.isEmpty ? child : "\(name)/\(child)", to: &tree, budget,
                    isNeeded: isNeeded)
            }
        // A script cannot use a socket as a file.
        default: return
        }
    }

    private static func isLeftOut(_ name: String) -> Bool {
        name.isSpelled(".git") || name.utf8.firstRange(of: ".lockflight-".utf8) != nil
    }

    // MARK: For the rollback

    /// What must be placed for a rollback command because it has changed since, or is gone.
    enum Need {
        case nothing
        /// It is in the working directory and was not kept.
        case notKept(script: String)
        /// Someone changed it after it had failed, so it runs from its own path.
        case repaired(script: String)
        /// The first changed file, the script's argument and path, and the roots that are placed together.
        case placed(changed: String, word: String?, script: String?, roots: [String: KeptTree])
    }

    func need(of command: ScriptCommand, in workingDirectory: String) throws(Refusal) -> Need {
        let trees = try trees()
        let known = KeptFiles.script(of: command, in: workingDirectory) { KeptFiles.isFile($0, of: trees) }
        if let known, let failed = try failures()[known.path], isRegularFile(known.path),
            Digest.ofFile(known.path)?.rawValue != failed
        {
            return .repaired(script: known.path)
        }
        var chosen = known.flatMap { KeptFiles.root(holding: $0.path, of: trees.keys) }.map { [$0] } ?? []
        if chosen.isEmpty { chosen = mentioned(by: command, of: Array(trees.keys), in: workingDirectory) }
        guard !chosen.isEmpty else {
            let script = KeptFiles.script(of: command, in: workingDirectory) { isRegularFile($0) }
            return script.map { .notKept(script: $0.path) } ?? .nothing
        }
        var roots: [String: KeptTree] = [:]
        let all = Set(chosen + chosen.flatMap { trees[$0]?.companions ?? [] })
        // A root below another one is placed together with it.
        for root in all where KeptFiles.root(holding: root, of: all) == root { roots[root] = trees[root] }
        for (root, tree) in roots.sorted(by: { $0.key < $1.key }) {
            if let changed = tree.change(below: root) {
                return .placed(changed: changed, word: known?.word, script: known?.path, roots: roots)
            }
        }
        return .nothing
    }

    /// The roots where a command works, and those that a shell's text names. The text does not say which script it
    /// runs, but it says where.
    private func mentioned(by command: ScriptCommand, of roots: [String], in workingDirectory: String) -> [String] {
        let base = PlacedPath.flat(absolutePath("", in: workingDirectory))
        let directory = PlacedPath.flat(absolutePath(command.workingDirectory ?? "", in: workingDirectory))
        let text = command.isShellText ? command.arguments.joined(separator: "\n") : ""
        return roots.filter { root in
            PlacedPath.of(directory, below: root, placedAt: "") != nil
                || Reference.texts(of: root, in: base).contains { Reference.replacing($0, by: "", in: text) != nil }
        }
    }

    /// The original path of a rollback's script, whether or not it exists; nil if none is known.
    func scriptInPlace(of command: ScriptCommand, in workingDirectory: String) throws(Refusal) -> String? {
        let trees = try trees()
        return KeptFiles.script(of: command, in: workingDirectory) { path in
            isRegularFile(path) || KeptFiles.isFile(path, of: trees)
        }?.path
    }

    /// A step of the run changes the host, so later changes to the script are not a person's repair.
    func forgetFailures() { folder.subfolder("failed.json").discard() }

    /// Remembers the content of a script's path when a rollback failed, because a person may repair the script there.
    func noteFailure(of script: String) throws(Refusal) {
        var failures = try failures()
        failures[script] = Digest.ofFile(script)?.rawValue ?? ""
        try folder.create()
        try folder.writeJSON("failed.json", failures)
    }

    private func failures() throws(Refusal) -> [String: String] {
        try folder.value([String: String].self, of: "failed.json") ?? [:]
    }

    /// A kept file's bytes, verified.
    func bytes(of file: KeptTree.File) throws(Refusal) -> [UInt8] {
        guard let bytes = try folder.read(file.digest.rawValue, limitBytes: AgentLimits.scriptBytes),
            Digest.sha256(of: bytes) == file.digest
        else { throw Refusal(.internalFailure, "a kept copy (\(file.digest.short)) is missing or damaged") }
        return bytes
    }

    private func trees() throws(Refusal) -> [String: KeptTree] {
        var trees = try folder.value([String: KeptTree].self, of: "kept.json") ?? [:]
        // In the format of the first agent release: single scripts.
        for (path, digest) in try folder.value([String: Digest].self, of: "map.json") ?? [:] where trees[path] == nil {
            trees[path] = KeptTree(files: ["": KeptTree.File(digest: digest, bytes: 0, access: nil)])
        }
        return trees
    }
}

/// How much may be kept for one run.
private struct KeepBudget {
    private let entries: Int
    private let bytes: Int

    /// - Parameter kept: what is kept already.
    init(_ kept: some Sequence<KeptTree>) {
        (entries, bytes) = kept.reduce((0, 0)) { ($0.0 + $1.entries, $0.1 + $1.bytes) }
    }

    func check(_ tree: KeptTree) throws(Refusal) {
        guard entries + tree.entries <= AgentLimits.keptFiles, bytes + tree.bytes <= AgentLimits.keptBytes else {
            throw Refusal(
                .limitExceeded,
                "more than \(AgentLimits.keptFiles) files or \(AgentLimits.keptBytes >> 20) MiB would have to be kept "
                    + "for the rollback; name what it needs with rollback.keeps")
        }
    }
}

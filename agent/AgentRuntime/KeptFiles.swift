import AgentProtocol
import ContentDigest
import Glibc
import SafeText
import UpgradeDomain

/// What the way back of a run needs, as it was before the run changed anything: a change may switch the working copy that scripts live in.
struct KeptFiles: Sendable {
    private let folder: Folder
    let run: RunID

    init(state: StateFolder, run: RunID) {
        folder = state.preserved.subfolder(OperationJournal.fileName(of: run.rawValue))
        self.run = run
    }

    // MARK: Before the change

    /// Keeps what a command of the way back needs, unless the run has kept it before: the first copy is the one from before the change.
    /// Call inside `StateFolder.exclusively`.
    ///
    /// - Returns: why something can not be kept, in words; empty where all is.
    func keep(_ order: KeepOrder, _ setting: CommandSetting, in workingDirectory: String) throws(Refusal) -> [String] {
        var trees = try trees()
        let named = order.paths.map { absolutePath($0, in: workingDirectory) }
        let isHeld = trees.keys.contains { PlacedPath.of(setting.script, below: $0, placedAt: "") != nil }
        let own = isHeld ? nil : KeptFiles.root(of: setting.script, named, in: workingDirectory)
        let roots = named + (own.map { named.contains($0) ? [] : [$0] } ?? [])
        var problems: [String] = []
        for root in roots {
            do throws(KeepFailure) {
                var tree = if let known = trees[root] { known } else { try read(root, beside: trees) }
                tree.companions = Set(tree.companions + roots.filter { $0 != root }).sorted()
                trees[root] = tree
            } catch {
                if error.isTooMuch, order.scriptWillDo == true, root == own,
                    let script = try? read(setting.script, beside: trees)
                {
                    trees[setting.script] = script
                } else {
                    problems.append(error.words)
                }
            }
        }
        if !roots.isEmpty { try folder.writeJSON("kept.json", trees) }
        return problems
    }

    /// Keeps a single file, as coordinators of protocol 1 ask for it.
    func keep(file path: String) throws(Refusal) {
        var trees = try trees()
        guard trees[path] == nil else { return }
        do throws(KeepFailure) {
            trees[path] = try read(path, beside: trees)
        } catch {
            return
        }
        try folder.writeJSON("kept.json", trees)
    }

    /// The root that a script is kept with: what the plan names, else its folder; the script alone where that is the working directory
    /// itself. Nil for a program elsewhere, which no change of the working directory replaces.
    private static func root(of script: String, _ named: [String], in workingDirectory: String) -> String? {
        let base = absolutePath("", in: workingDirectory)
        guard script.begins(with: base.ends(with: "/") ? base : base + "/"),
            !script.fields(separatedBy: "/").contains(where: { $0.isSpelled("..") })
        else { return nil }
        if let root = named.first(where: { PlacedPath.of(script, below: $0, placedAt: "") != nil }) { return root }
        let parent = Folder(path: script).parent.path
        return parent.isSpelled(base) ? script : parent
    }

    private struct KeepFailure: Error {
        var words: String
        var isTooMuch = false
    }

    private func read(_ root: String, beside trees: [String: KeptTree]) throws(KeepFailure) -> KeptTree {
        var budget = KeepBudget(trees.values)
        var tree = KeptTree()
        do throws(Refusal) {
            try folder.create()
            try add(root, as: "", to: &tree, &budget)
        } catch {
            throw KeepFailure(words: "\(root) (\(error.message))", isTooMuch: error.code == .limitExceeded)
        }
        return tree
    }

    private func add(
        _ path: String, as name: String, to tree: inout KeptTree, _ budget: inout KeepBudget
    ) throws(Refusal) {
        var status = stat()
        // What a plan names may be a link, and means what it leads to.
        guard (name.isEmpty ? stat(path, &status) : lstat(path, &status)) == 0 else {
            // A name that is no UTF-8, or somebody was faster.
            if !name.isEmpty { return }
            throw Refusal(.internalFailure, errno == ENOENT ? "not there" : systemErrorText(errno))
        }
        let mode = UInt32(status.st_mode & 0o777)
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            let file = Folder(path: path)
            guard let bytes = try file.parent.read(file.name, limitBytes: AgentLimits.scriptBytes) else { return }
            try budget.take(bytes.count)
            let digest = Digest.sha256(of: bytes)
            if !folder.contains(digest.rawValue) { try folder.write(digest.rawValue, bytes) }
            tree.files[name] = KeptTree.File(digest: digest, mode: mode)
        case S_IFLNK:
            guard let target = RunningProcess.link(path) else { return }
            try budget.take(0)
            tree.links[name] = target
        case S_IFDIR:
            if !name.isEmpty { tree.folders[name] = mode }
            for child in FileSystem().allNames(in: path).sorted() where !KeptFiles.isLeftOut(child) {
                try add("\(path)/\(child)", as: name.isEmpty ? child : "\(name)/\(child)", to: &tree, &budget)
            }
        // Nobody sources a socket.
        default: return
        }
    }

    private static func isLeftOut(_ name: String) -> Bool {
        name.isSpelled(".git") || name.cut(atLast: ".")?.after.begins(with: "lockflight-") == true
    }

    // MARK: For the way back

    /// What a command of the way back needs placed, because it has changed since, or is gone.
    enum Need {
        case nothing
        /// It lies in the working directory, and was not kept.
        case notKept
        /// Somebody changed it after it had failed, so it runs where it is.
        case repaired
        /// The first file found changed, and the roots that are placed together.
        case placed(changed: String, roots: [String: KeptTree])
    }

    func need(of setting: CommandSetting, in workingDirectory: String) throws(Refusal) -> Need {
        if let failed = try failures()[setting.script], isRegularFile(setting.script),
            Digest.ofFile(setting.script)?.rawValue != failed
        {
            return .repaired
        }
        let trees = try trees()
        let holding = trees.keys.filter { PlacedPath.of(setting.script, below: $0, placedAt: "") != nil }
        let words = setting.arguments.joined(separator: "\n") + "\n" + setting.workingDirectory
        let base = absolutePath("", in: workingDirectory)
        var chosen = holding.min { $0.utf8.count < $1.utf8.count }.map { [$0] } ?? []
        if chosen.isEmpty {
            // Nothing says which script a `bash -c` runs, but it says where.
            chosen = trees.keys.filter { root in
                Reference.texts(of: root, in: base).contains { Reference.replacing($0, by: "", in: words) != nil }
            }
        }
        guard !chosen.isEmpty else {
            return KeptFiles.root(of: setting.script, [], in: workingDirectory) == nil ? .nothing : .notKept
        }
        var roots: [String: KeptTree] = [:]
        for root in chosen + chosen.flatMap({ trees[$0]?.companions ?? [] }) { roots[root] = trees[root] }
        for (root, tree) in roots.sorted(by: { $0.key < $1.key }) {
            if let changed = tree.change(below: root) { return .placed(changed: changed, roots: roots) }
        }
        return .nothing
    }

    /// Remembers what stood in a script's place when a way back failed: whoever repairs the host may repair it there.
    func noteFailure(of script: String) throws(Refusal) {
        var failures = try failures()
        failures[script] = Digest.ofFile(script)?.rawValue ?? ""
        try folder.create()
        try folder.writeJSON("failed.json", failures)
    }

    private func failures() throws(Refusal) -> [String: String] {
        try folder.value([String: String].self, of: "failed.json") ?? [:]
    }

    /// A kept file's bytes, proved.
    func bytes(of file: KeptTree.File) throws(Refusal) -> [UInt8] {
        guard let bytes = try folder.read(file.digest.rawValue, limitBytes: AgentLimits.scriptBytes),
            Digest.sha256(of: bytes) == file.digest
        else { throw Refusal(.internalFailure, "a kept copy (\(file.digest.short)) is missing or damaged") }
        return bytes
    }

    private func trees() throws(Refusal) -> [String: KeptTree] {
        var trees = try folder.value([String: KeptTree].self, of: "kept.json") ?? [:]
        // As agents of the first release kept them: single scripts.
        for (path, digest) in try folder.value([String: Digest].self, of: "map.json") ?? [:] where trees[path] == nil {
            trees[path] = KeptTree(files: ["": KeptTree.File(digest: digest, mode: 0o700)])
        }
        return trees
    }
}

/// How much is kept for one run.
private struct KeepBudget {
    private var files: Int
    private var bytes = 0

    /// Bytes are counted for what is added; files over everything.
    init(_ kept: some Sequence<KeptTree>) { files = kept.reduce(0) { $0 + $1.files.count + $1.links.count } }

    mutating func take(_ count: Int) throws(Refusal) {
        files += 1
        bytes += count
        guard files <= AgentLimits.keptFiles, bytes <= AgentLimits.keptBytes else {
            throw Refusal(
                .limitExceeded,
                "more than \(AgentLimits.keptFiles) files or \(AgentLimits.keptBytes >> 20) MiB would have to be kept for the way back; "
                    + "name what it needs with rollback.keeps")
        }
    }
}

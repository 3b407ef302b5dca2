import AgentProtocol
import ContentDigest
import Glibc
import UpgradeDomain

/// The scripts of a run as they were before it changed anything: a change may switch the working copy that they live in.
struct PreservedScripts: Sendable {
    private let folder: Folder

    init(state: StateFolder, run: RunID) {
        folder = state.preserved.subfolder(OperationJournal.fileName(of: run.rawValue))
    }

    /// Keeps a script unless the run has kept it before: the first copy is the one from before the change.
    /// Call inside `StateFolder.exclusively`.
    func keep(_ path: String) throws(Refusal) {
        var digests = try digests()
        guard digests[path] == nil else { return }
        let file = Folder(path: path)
        guard let bytes = try file.parent.read(file.name, limitBytes: AgentLimits.scriptBytes) else { return }
        let digest = Digest.sha256(of: bytes)
        try folder.create()
        try folder.write(digest.rawValue, bytes, mode: .privateProgram)
        digests[path] = digest
        try folder.writeJSON("map.json", digests)
    }

    /// Puts the kept copy in a command's place where the script has changed since, or is gone.
    ///
    /// - Parameter word: the command's script as the plan writes it.
    /// - Returns: a sentence when the kept copy is used, or could not be.
    func substitute(in setting: inout CommandSetting, word: String) throws(Refusal) -> String? {
        guard let kept = try digests()[setting.script] else {
            return "no copy of \(setting.script) was kept before the change; the one in place runs"
        }
        guard Digest.ofFile(setting.script) != kept else { return nil }
        guard let position = setting.arguments.firstIndex(of: word) else {
            throw Refusal(
                .internalFailure,
                "\(setting.script) has changed since the run began, and is no argument that its kept copy could replace"
            )
        }
        let copy = folder.path(of: kept.rawValue)
        guard Digest.ofFile(copy) == kept else {
            throw Refusal(.internalFailure, "the kept copy of \(setting.script) is missing or damaged")
        }
        let note = "\(setting.script) has changed since the run began; its kept copy \(kept.short) runs instead"
        setting.arguments[position] = copy
        setting.script = copy
        return note
    }

    private func digests() throws(Refusal) -> [String: Digest] {
        try folder.value([String: Digest].self, of: "map.json") ?? [:]
    }
}

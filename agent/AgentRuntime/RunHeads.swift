import AgentProtocol
import UpgradeDomain

/// The newest head that came with a capture, for each of the last runs. Every call belongs inside
/// `StateFolder.exclusively`.
struct RunHeads {
    private let folder: Folder

    init(in state: StateFolder) { folder = state.heads }

    /// Replaces the head of the same run. If there is no room, the run whose head is oldest is removed.
    func keep(_ head: RunHead) throws(Refusal) {
        let name = StateFolder.fileName(of: head.run.rawValue)
        try folder.create()
        try folder.writeJSON(name, head)
        for name in folder.oldest(beyond: AgentLimits.keptHeads, dated: { folder.path(of: $0) }) {
            folder.subfolder(name).discard()
        }
    }

    func all() throws(Refusal) -> [RunHead] {
        var heads: [RunHead] = []
        for name in folder.names().sorted() {
            if let head = try folder.value(RunHead.self, of: name) { heads.append(head) }
        }
        return heads
    }
}

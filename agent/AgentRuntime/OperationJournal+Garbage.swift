import AgentProtocol
import UpgradeDomain

extension OperationJournal {
    /// Deletes the oldest ended operations, tombstones and kept scripts of other runs, if there are more than the agent
    /// keeps. Call inside `StateFolder.exclusively`, before a run's next operation begins.
    ///
    /// A host belongs to at most one run that has not ended. So entries of any run other than the one that starts an
    /// operation here are no longer needed: the fence refuses the epochs that their IDs come with. Operations that have
    /// not ended stay, whatever their run.
    func collectGarbage(for run: RunID) throws(Refusal) {
        for name in state.operations.oldest(
            beyond: AgentLimits.keptOperations, dated: { state.operations.path(of: "\($0)/intent.json") })
        {
            let folder = state.operations.subfolder(name)
            // Without an intent it is the rest of an entry that was being deleted when the agent died.
            let intent = try folder.value(JournaledIntent.self, of: "intent.json")
            if let intent, intent.request.run == run || !folder.contains("result.json") { continue }
            folder.discard()
        }
        for name in state.tombstones.oldest(
            beyond: AgentLimits.keptOperations, dated: { state.tombstones.path(of: $0) })
        {
            let id = String(decoding: try state.tombstones.read(name) ?? [], as: UTF8.self)
            if !OperationID(id).belongs(to: run) { state.tombstones.subfolder(name).discard() }
        }
        let own = StateFolder.fileName(of: run.rawValue)
        for name in state.preserved.oldest(
            beyond: AgentLimits.keptPreservedRuns,
            dated: { run in
                let kept = state.preserved.path(of: "\(run)/kept.json")
                return state.preserved.disk.contains(kept) ? kept : state.preserved.path(of: "\(run)/map.json")
            })
        where name != own {
            state.preserved.subfolder(name).discard()
        }
    }
}

extension Folder {
    /// The names of the oldest entries, as many as exceed the limit.
    /// - Parameter file: the path of the file whose time says when an entry was written.
    func oldest(beyond limit: Int, dated file: (String) -> String) -> [String] {
        let names = names()
        guard names.count > limit else { return [] }
        let dated = names.map { (name: $0, writtenAt: disk.modifiedAt(file($0))) }
        return dated.sorted { ($0.writtenAt, $0.name) < ($1.writtenAt, $1.name) }.prefix(names.count - limit).map(
            \.name)
    }
}

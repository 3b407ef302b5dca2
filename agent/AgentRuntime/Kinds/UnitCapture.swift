import AgentProtocol
import UpgradeDomain

/// A systemd unit as evidence.
enum UnitCapture {
    /// What the answer holds; pointers of a plan may lead into it.
    private struct Document: Encodable {
        var items: [EvidenceItem]
        var restarts: Int?
    }

    static func answer(_ source: UnitSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        let tool = HostTool(
            workingDirectory: setting.workingDirectory, deadline: Deadline(after: .seconds(source.timeoutSeconds)),
            isWanted: setting.isWanted)
        let facts = UnitFacts(of: source.name, tool)
        if let failure = facts.failure { return .failed(.notRun, failure.words) }
        let state = EvidenceItem(key: "state", value: facts.item.value, health: facts.item.health)
        return .document(Document(items: [state], restarts: facts.restarts))
    }
}

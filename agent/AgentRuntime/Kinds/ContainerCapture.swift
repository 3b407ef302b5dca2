import AgentProtocol
import UpgradeDomain

/// A container of Docker or Podman as evidence.
enum ContainerCapture {
    /// What the answer holds; pointers of a plan may lead into it.
    private struct Document: Encodable {
        var items: [EvidenceItem]
        var restarts: Int?
        var tag: String?
    }

    static func answer(_ source: ContainerSource, _ setting: CaptureSetting) -> SurfaceAnswer {
        let tool = HostTool(
            workingDirectory: setting.workingDirectory, deadline: Deadline(after: .seconds(source.timeoutSeconds)),
            isWanted: setting.isWanted)
        let facts = ContainerFacts(of: source.container, tool)
        if let failure = facts.failure { return .failed(.notRun, failure.words) }
        let items = zip(["state", "image"], facts.items).map { key, item in
            EvidenceItem(key: key, value: item.value, health: item.health)
        }
        return .document(Document(items: items, restarts: facts.restarts, tag: facts.tag))
    }
}

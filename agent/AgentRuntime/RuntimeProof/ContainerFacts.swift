import ContentDigest
import SafeText
import UpgradeDomain

/// The facts that `docker container inspect` or `podman container inspect` reports about one container.
struct ContainerFacts {
    private let state: Result<Answer, LinkFailure>
    /// The image's ID, `sha256:...`; podman omits the prefix.
    private(set) var imageID: String?
    private var repositoryDigests: [String] = []

    init(of container: ContainerReference, _ tool: HostTool) {
        self.init(tool.output(of: [container.engine.rawValue, "container", "inspect", container.name]))
    }

    init(_ inspection: Result<String, LinkFailure>) {
        state = inspection.flatMap { text in
            guard let document = try? CanonicalJSON.answer(from: Array(text.utf8)),
                let container = document.value(at: "/0"), container.value(at: "/State/Status") != nil
            else { return .failure(LinkFailure(isUnknown: true, "the engine's answer describes no container")) }
            return .success(container)
        }
        if case .success(let container) = state, let id = container.value(at: "/Image")?.text, !id.isEmpty {
            imageID = id.begins(with: "sha256:") ? id : "sha256:\(id)"
        }
    }

    mutating func addRepositoryDigests(_ inspection: Result<String, LinkFailure>) {
        guard case .success(let text) = inspection,
            let document = try? CanonicalJSON.answer(from: Array(text.utf8)),
            case .array(let digests) = document.value(at: "/0/RepoDigests")
        else { return }
        repositoryDigests = digests.compactMap(\.text)
    }

    var items: [EvidenceItem] {
        switch state {
        case .failure(let failure): return [.init(.container, failure), .init(.image, failure)]
        case .success(let container):
            let image =
                imageID.map { EvidenceItem.holds(.image, ([$0] + repositoryDigests).joined(separator: ", ")) }
                ?? .unknown(.image, "the engine names no image")
            return [ContainerFacts.state(of: container), image]
        }
    }

    private static func state(of container: Answer) -> EvidenceItem {
        let status = container.value(at: "/State/Status")?.text ?? "(none)"
        // Docker uses Health; podman used Healthcheck before 4.0.
        let health = ["/State/Health/Status", "/State/Healthcheck/Status"].lazy
            .compactMap { container.value(at: $0)?.text }.first { !$0.isEmpty }
        let words = [status, health].compactMap(\.self).joined(separator: ", ")
        let isGood = status == "running" && (health == nil || health == "healthy")
        return isGood ? .holds(.container, words) : .fails(.container, words)
    }

    /// Why the engine did not answer.
    var failure: LinkFailure? {
        if case .failure(let failure) = state { failure } else { nil }
    }

    /// How often the engine started it again by itself, since a person or a script last did; nil if it does not say.
    var restarts: Int? {
        (try? state.get())?.value(at: "/RestartCount")?.text.flatMap { Int($0) }
    }

    /// The tag in the name of its image, such as `1.5.0` of `registry:5000/api:1.5.0`; nil if it has none.
    var tag: String? {
        guard let name = (try? state.get())?.value(at: "/Config/Image")?.text else { return nil }
        let last = name.cut(atLast: "/")?.after ?? name[...]
        return last.prefix(upToAnyOf: "@").cut(at: ":").map { String($0.after) }
    }

    func processID() throws(LinkFailure) -> Int32 {
        let container = try state.get()
        guard let pid = container.value(at: "/State/Pid")?.text.flatMap({ Int32($0) }), pid > 0 else {
            throw LinkFailure(isUnknown: false, "the container has no process")
        }
        return pid
    }
}

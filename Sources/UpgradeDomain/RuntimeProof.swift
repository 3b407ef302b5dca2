/// What must be true of a running component beyond its own answer: the chain from an approved commit through the files
/// on disk to the process that serves.
package struct RuntimeProof: Codable, Hashable, Sendable {
    package var source: RuntimeSource
    /// The contents of each version; at least for source and target.
    package var approved: [Version: ApprovedRelease]
    /// Whether the change replaces the process. If so, the process must have started after the change began.
    package var restarts: Bool

    package init(source: RuntimeSource, approved: [Version: ApprovedRelease], restarts: Bool = true) {
        self.source = source
        self.approved = approved
        self.restarts = restarts
    }
}

/// The identity of one version, as the plan's approvers approved it.
package struct ApprovedRelease: Codable, Hashable, Sendable {
    /// SHA-256 of the manifest file, which in turn covers every file it lists.
    package var manifest: Digest?
    /// The full commit ID that the checkout must be at.
    package var commit: String?
    /// The container image: its id, or a repository digest such as `registry/name@sha256:...`.
    package var image: String?

    package init(manifest: Digest? = nil, commit: String? = nil, image: String? = nil) {
        self.manifest = manifest
        self.commit = commit
        self.image = image
    }
}

/// The links of the chain that can be inspected. The agent inspects them itself, without a script on the host.
///
/// Paths are relative to the host's working directory unless absolute; every text may hold placeholders.
package struct RuntimeSource: Codable, Hashable, Sendable {
    /// A file in `sha256sum` format. Its names are relative to the folder that really contains it (symbolic links
    /// resolved).
    package var manifest: String?
    /// A git working copy.
    package var checkout: String?
    /// A file that holds the id of the process.
    package var pidFile: String?
    /// TCP ports that the process or one of its children must listen on: `8101`, or on one address `10.0.0.5:8101`.
    package var ports: [String]
    package var container: ContainerReference?
    /// A systemd unit of the system manager.
    package var unit: String?
    /// For all links together.
    package var timeoutSeconds: Int

    package init(
        manifest: String? = nil, checkout: String? = nil, pidFile: String? = nil, ports: [String] = [],
        container: ContainerReference? = nil, unit: String? = nil, timeoutSeconds: Int = 30
    ) {
        self.manifest = manifest
        self.checkout = checkout
        self.pidFile = pidFile
        self.ports = ports
        self.container = container
        self.unit = unit
        self.timeoutSeconds = timeoutSeconds
    }

    /// Whether any field identifies a process to inspect.
    package var namesProcess: Bool { pidFile != nil || !ports.isEmpty || container != nil || unit != nil }

    /// The items that an answer must contain. A link that was not inspected proves nothing.
    package var links: [RuntimeLink] {
        var links: [RuntimeLink] = []
        if checkout != nil { links += [.commit, .worktree] }
        if manifest != nil { links += [.manifest, .files] }
        if namesProcess { links += [.process, .mappings, .started] }
        if manifest != nil, namesProcess, container == nil { links.append(.program) }
        links += ports.indices.map { .port($0 + 1) }
        if container != nil { links += [.container, .image] }
        if unit != nil { links.append(.unit) }
        return links
    }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> RuntimeSource {
        var source = self
        source.manifest = manifest.map(replace)
        source.checkout = checkout.map(replace)
        source.pidFile = pidFile.map(replace)
        source.ports = ports.map(replace)
        source.container?.name = replace(container?.name ?? "")
        source.unit = unit.map(replace)
        return source
    }

    /// Every text that may hold placeholders.
    package var texts: [String] { [manifest, checkout, pidFile, container?.name, unit].compactMap(\.self) + ports }
}

/// A container of one engine on the host, inspected with the engine's command.
package struct ContainerReference: Codable, Hashable, Sendable {
    /// The engine whose command is used.
    package enum Engine: String, Codable, Hashable, Sendable, CaseIterable { case docker, podman }
    package var engine: Engine
    package var name: String

    package init(engine: Engine, name: String) {
        self.engine = engine
        self.name = name
    }
}

/// One link of the chain. Its description is the key of its item.
package enum RuntimeLink: Hashable, Sendable, CustomStringConvertible {
    /// The checkout is at this commit.
    case commit
    /// No tracked file of the checkout differs from the commit.
    case worktree
    /// The SHA-256 of the manifest.
    case manifest
    /// Every file in the manifest matches it.
    case files
    /// The process exists.
    case process
    /// The process runs a file of the manifest that was written before the process started.
    case program
    /// No program or library that the process has mapped was replaced on disk.
    case mappings
    /// When the process started.
    case started
    /// The process listens on the port at this position in the list, counted from 1.
    case port(Int)
    case container
    case image
    case unit

    package var description: String {
        switch self {
        case .commit: "commit"
        case .worktree: "worktree"
        case .manifest: "manifest"
        case .files: "files"
        case .process: "process"
        case .program: "program"
        case .mappings: "mappings"
        case .started: "started"
        case .port(let place): "port \(place)"
        case .container: "container"
        case .image: "image"
        case .unit: "unit"
        }
    }
}

/// Where a surface's raw answer comes from. The agent captures all of them on the host.
package enum SurfaceSource: Codable, Hashable, Sendable {
    case http(HTTPSource)
    case command(ScriptCommand)
    /// The agent inspects files, processes and sockets itself and answers with items.
    case runtime(RuntimeSource)
    case tcp(TCPSource)
    case unit(UnitSource)
    case container(ContainerSource)

    /// How many requests per second the whole fleet may send for it; nil for no limit.
    package var fleetRequestsPerSecond: Int? {
        if case .http(let http) = self { http.fleetRequestsPerSecond } else { nil }
    }

    /// Whether a program on the host answers, with its output and exit code.
    package var isCommand: Bool { if case .command = self { true } else { false } }

    /// For the whole answer.
    package var timeoutSeconds: Int {
        switch self {
        case .http(let http): http.timeoutSeconds
        case .command(let command): command.timeoutSeconds
        case .runtime(let runtime): runtime.timeoutSeconds
        case .tcp(let tcp): tcp.timeoutSeconds
        case .unit(let unit): unit.timeoutSeconds
        case .container(let container): container.timeoutSeconds
        }
    }

    /// Every text that may hold placeholders.
    package var texts: [String] {
        switch self {
        case .http(let http): http.texts
        case .command(let command): command.texts
        case .runtime(let runtime): runtime.texts
        case .tcp(let tcp): tcp.texts
        case .unit(let unit): unit.texts
        case .container(let container): container.texts
        }
    }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> SurfaceSource {
        switch self {
        case .http(let http): .http(http.mapTexts(replace))
        case .command(let command): .command(command.mapTexts(replace))
        case .runtime(let runtime): .runtime(runtime.mapTexts(replace))
        case .tcp(let tcp): .tcp(tcp.mapTexts(replace))
        case .unit(let unit): .unit(unit.mapTexts(replace))
        case .container(let container): .container(container.mapTexts(replace))
        }
    }
}

/// An HTTP GET from the host itself.
package struct HTTPSource: Codable, Hashable, Sendable {
    /// May hold placeholders; usually `${baseURL}/...`.
    package var url: String
    package var headers: [String: String]
    /// Headers whose values are stored in files on the host. They are read there and never leave it.
    package var secretHeaders: [String: SecretReference]
    /// The statuses that count as an answer. Any other status is *unknown*.
    package var acceptedStatuses: [Int]
    /// For all attempts together.
    package var timeoutSeconds: Int
    /// How often to retry after a 429, each time after the pause it names. After that, the 429 counts as any other
    /// answer.
    package var retriesWhenLimited: Int
    /// How many requests per second the whole fleet may send, for hosts that share one API; nil for no limit.
    package var fleetRequestsPerSecond: Int?
    /// For `https`; nil uses the host's own trust store.
    package var tls: TLSOptions?

    package init(
        url: String, headers: [String: String] = [:], secretHeaders: [String: SecretReference] = [:],
        acceptedStatuses: [Int] = [200], timeoutSeconds: Int, retriesWhenLimited: Int = 2,
        fleetRequestsPerSecond: Int? = nil, tls: TLSOptions? = nil
    ) {
        self.url = url
        self.headers = headers
        self.secretHeaders = secretHeaders
        self.acceptedStatuses = acceptedStatuses
        self.timeoutSeconds = timeoutSeconds
        self.retriesWhenLimited = retriesWhenLimited
        self.fleetRequestsPerSecond = fleetRequestsPerSecond
        self.tls = tls
    }
}

extension HTTPSource {
    /// Missing fields get defaults, so that a person can type a request.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func value<Value: Decodable>(_ key: CodingKeys, or fallback: Value) throws -> Value {
            try container.decodeIfPresent(Value.self, forKey: key) ?? fallback
        }
        self.init(
            url: try container.decode(String.self, forKey: .url), headers: try value(.headers, or: [:]),
            secretHeaders: try value(.secretHeaders, or: [:]),
            acceptedStatuses: try value(.acceptedStatuses, or: [200]),
            timeoutSeconds: try container.decode(Int.self, forKey: .timeoutSeconds),
            retriesWhenLimited: try value(.retriesWhenLimited, or: 2),
            fleetRequestsPerSecond: try container.decodeIfPresent(Int.self, forKey: .fleetRequestsPerSecond),
            tls: try container.decodeIfPresent(TLSOptions.self, forKey: .tls))
    }
}

extension HTTPSource {
    /// Every text that may hold placeholders.
    package var texts: [String] {
        [url] + headers.values.sorted() + secretHeaders.values.map(\.file).sorted()
    }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> HTTPSource {
        var source = self
        source.url = replace(url)
        source.headers = headers.mapValues(replace)
        source.secretHeaders = secretHeaders.mapValues { secret in
            SecretReference(file: replace(secret.file), prefix: secret.prefix)
        }
        return source
    }
}

/// A secret by reference: where it is stored on the host, never its value.
package struct SecretReference: Codable, Hashable, Sendable {
    /// An absolute path on the host. The value is the file's text without surrounding white space.
    package var file: String
    /// Added in front, such as `Bearer `.
    package var prefix: String

    package init(file: String, prefix: String = "") {
        self.file = file
        self.prefix = prefix
    }
}

/// What a TLS connection trusts and presents, as files on the host. Verification cannot be turned off.
package struct TLSOptions: Codable, Hashable, Sendable {
    package var caFile: String?
    package var certificateFile: String?
    package var keyFile: String?

    package init(caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
        self.caFile = caFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// A connection to a TCP port from the host itself, for services without HTTP such as databases and caches.
///
/// It answers with code 0 if the port accepts and begins with ``banner``, and with 1 if it begins with something else. The
/// body is the first line that the service sends, if a banner is asked for. With ``tls`` the body is what TLS says, as JSON.
package struct TCPSource: Codable, Hashable, Sendable {
    /// An address, not a name: the agent has no resolver. May hold placeholders.
    package var address: String
    package var port: Int
    /// How what the service sends first must begin, such as `SSH-2.0-`; nil if the service does not speak first.
    package var banner: String?
    /// For the connection and the banner together.
    package var timeoutSeconds: Int
    /// Nil for a connection without TLS.
    package var tls: ServiceTLS?

    package init(
        address: String = "127.0.0.1", port: Int, banner: String? = nil, timeoutSeconds: Int, tls: ServiceTLS? = nil
    ) {
        self.address = address
        self.port = port
        self.banner = banner
        self.timeoutSeconds = timeoutSeconds
        self.tls = tls
    }

    /// Every text that may hold placeholders.
    package var texts: [String] {
        [address, banner, tls?.serverName, tls?.caFile, tls?.certificateFile, tls?.keyFile].compactMap(\.self)
    }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> TCPSource {
        var source = self
        source.address = replace(address)
        source.banner = banner.map(replace)
        source.tls?.serverName = replace(tls?.serverName ?? "")
        source.tls?.caFile = tls?.caFile.map(replace)
        source.tls?.certificateFile = tls?.certificateFile.map(replace)
        source.tls?.keyFile = tls?.keyFile.map(replace)
        return source
    }
}

/// TLS with a service on a TCP port. The connection is verified; that cannot be turned off.
package struct ServiceTLS: Codable, Hashable, Sendable {
    /// The name, or the address, that the certificate must be for.
    package var serverName: String
    /// What is spoken before TLS begins; nil for TLS from the first byte.
    package var startTLS: StartTLS?
    /// Whom to trust, as a file on the host; nil for the host's own trust store.
    package var caFile: String?
    /// What the host presents, as files on it.
    package var certificateFile: String?
    package var keyFile: String?

    package init(
        serverName: String, startTLS: StartTLS? = nil, caFile: String? = nil, certificateFile: String? = nil,
        keyFile: String? = nil
    ) {
        self.serverName = serverName
        self.startTLS = startTLS
        self.caFile = caFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
    }
}

/// The protocols in which TLS can begin later, as `openssl s_client -starttls` spells them.
package enum StartTLS: String, Codable, Hashable, Sendable, CaseIterable {
    case ftp, imap, ldap, lmtp, mysql, nntp, pop3, postgres, sieve, smtp, xmpp
}

/// A systemd unit of the system manager, inspected with `systemctl show`.
///
/// The answer is a JSON document: `/items` with its state, and `/restarts`, how often systemd started it again by itself.
package struct UnitSource: Codable, Hashable, Sendable {
    /// May hold placeholders.
    package var name: String
    package var timeoutSeconds: Int

    package init(name: String, timeoutSeconds: Int) {
        self.name = name
        self.timeoutSeconds = timeoutSeconds
    }

    /// Every text that may hold placeholders.
    package var texts: [String] { [name] }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> UnitSource {
        UnitSource(name: replace(name), timeoutSeconds: timeoutSeconds)
    }
}

/// A container of one engine on the host, inspected with the engine's command.
///
/// The answer is a JSON document: `/items` with its state and the id of its image, `/restarts`, how often the engine started
/// it again by itself, and `/tag`, the tag in the name of its image.
package struct ContainerSource: Codable, Hashable, Sendable {
    package var engine: ContainerReference.Engine
    /// May hold placeholders.
    package var name: String
    package var timeoutSeconds: Int

    package init(_ container: ContainerReference, timeoutSeconds: Int) {
        (engine, name) = (container.engine, container.name)
        self.timeoutSeconds = timeoutSeconds
    }

    package var container: ContainerReference { ContainerReference(engine: engine, name: name) }

    /// Every text that may hold placeholders.
    package var texts: [String] { [name] }

    /// The source with every text replaced.
    package func mapTexts(_ replace: (String) -> String) -> ContainerSource {
        var source = self
        source.name = replace(name)
        return source
    }
}

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

/// One source of evidence, and how to read it.
package struct Surface: Codable, Hashable, Sendable {
    package var name: SurfaceName
    package var scope: SurfaceScope
    package var source: SurfaceSource
    package var reader: Reader
    /// How often it is captured while a host soaks, at most; nil for with every sample. Everything that opens or closes a
    /// boundary captures it in any case.
    package var everySeconds: Int?

    package init(
        name: SurfaceName, scope: SurfaceScope = .host, source: SurfaceSource, reader: Reader, everySeconds: Int? = nil
    ) {
        self.name = name
        self.scope = scope
        self.source = source
        self.reader = reader
        self.everySeconds = everySeconds
    }
}

/// The scope of a surface, which decides how often it is captured.
package enum SurfaceScope: Codable, Hashable, Sendable {
    /// Captured on every placement.
    case host
    /// Captured once per boundary of each layer, from the named host.
    case layer(vantage: HostName)
    /// Captured once per boundary, from the named host.
    case fleet(vantage: HostName)
}

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

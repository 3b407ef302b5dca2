/// One source of evidence, and how to read it.
public struct Surface: Codable, Hashable, Sendable {
    public var name: SurfaceName
    public var scope: SurfaceScope
    public var source: SurfaceSource
    public var reader: Reader

    public init(name: SurfaceName, scope: SurfaceScope = .host, source: SurfaceSource, reader: Reader) {
        self.name = name
        self.scope = scope
        self.source = source
        self.reader = reader
    }
}

/// What a surface speaks for, and so how often it is captured.
public enum SurfaceScope: Codable, Hashable, Sendable {
    /// Captured on every placement.
    case host
    /// Captured once per boundary of each layer, from the named host.
    case layer(vantage: HostName)
    /// Captured once per boundary, from the named host.
    case fleet(vantage: HostName)
}

/// Where a surface's raw answer comes from; both are captured by the agent, on the host.
public enum SurfaceSource: Codable, Hashable, Sendable {
    case http(HTTPSource)
    case command(ScriptCommand)
}

/// An HTTP GET from the host itself.
public struct HTTPSource: Codable, Hashable, Sendable {
    /// May hold placeholders; usually `${baseURL}/...`.
    public var url: String
    public var headers: [String: String]
    /// The statuses that count as an answer; any other is *unknown*.
    public var acceptedStatuses: [Int]
    public var timeoutSeconds: Int

    public init(url: String, headers: [String: String] = [:], acceptedStatuses: [Int] = [200], timeoutSeconds: Int) {
        self.url = url
        self.headers = headers
        self.acceptedStatuses = acceptedStatuses
        self.timeoutSeconds = timeoutSeconds
    }
}

/// How a raw answer becomes typed items.
///
/// A value that no rule maps is *unknown*, and unknown blocks.
public struct Reader: Codable, Hashable, Sendable {
    public var shape: ReaderShape
    /// JSON Pointer (RFC 6901) to where the items are; `""` is the whole document.
    public var items: String
    /// The field that names an item in a `statusList`.
    public var key: String
    /// The field that holds an item's status in a `statusList` or `statusObjects`.
    public var status: String
    /// Status words that mean healthy, compared without case.
    public var healthy: [String]
    /// Status words that mean unhealthy, compared without case.
    public var unhealthy: [String]
    /// Items that have no health check by design: present is enough.
    public var uncheckedKeys: [String]
    public var timestamp: TimestampRule?

    public init(
        shape: ReaderShape, items: String = "", key: String = "name", status: String = "status",
        healthy: [String] = Reader.commonHealthyWords, unhealthy: [String] = Reader.commonUnhealthyWords,
        uncheckedKeys: [String] = [], timestamp: TimestampRule? = nil
    ) {
        self.shape = shape
        self.items = items
        self.key = key
        self.status = status
        self.healthy = healthy
        self.unhealthy = unhealthy
        self.uncheckedKeys = uncheckedKeys
        self.timestamp = timestamp
    }

    public static let commonHealthyWords = ["healthy", "ok", "up", "ready", "running", "pass", "true"]
    public static let commonUnhealthyWords = [
        "unhealthy", "down", "error", "failed", "fail", "degraded", "not_ready", "stopped", "false",
    ]
}

/// The common shapes of an answer.
public enum ReaderShape: String, Codable, Hashable, Sendable, CaseIterable {
    /// An array of `{name, status}` objects.
    case statusList
    /// An object of name -> status.
    case statusMap
    /// An object of name -> object with a status.
    case statusObjects
    /// One value, such as a version; its health is presence, its meaning the engine's to judge.
    case value
    /// The exit status of a command or the HTTP status alone: one item named `result`.
    case result
}

/// Where an answer says when it was made, and how old that may be.
public struct TimestampRule: Codable, Hashable, Sendable {
    /// JSON Pointer to an RFC 3339 time or to seconds since 1970.
    public var pointer: String
    public var maxAgeSeconds: Int

    public init(pointer: String, maxAgeSeconds: Int) {
        self.pointer = pointer
        self.maxAgeSeconds = maxAgeSeconds
    }
}

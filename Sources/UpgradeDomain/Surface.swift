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

    /// How many requests per second the whole fleet may send for it; nil for no limit.
    package var fleetRequestsPerSecond: Int? {
        if case .http(let http) = self { http.fleetRequestsPerSecond } else { nil }
    }

    /// Whether a program on the host answers, with its output and exit code.
    package var isCommand: Bool { if case .command = self { true } else { false } }

    package var isTCP: Bool { if case .tcp = self { true } else { false } }

    /// For the whole answer.
    package var timeoutSeconds: Int {
        switch self {
        case .http(let http): http.timeoutSeconds
        case .command(let command): command.timeoutSeconds
        case .runtime(let runtime): runtime.timeoutSeconds
        case .tcp(let tcp): tcp.timeoutSeconds
        }
    }
}

/// A connection to a TCP port from the host itself, for services without HTTP such as databases and caches.
///
/// It answers with code 0 if the port accepts and begins with ``banner``, and with 1 if it begins with something else. The
/// body is the first line that the service sends, if a banner is asked for.
package struct TCPSource: Codable, Hashable, Sendable {
    /// An address, not a name: the agent has no resolver. May hold placeholders.
    package var address: String
    package var port: Int
    /// How what the service sends first must begin, such as `SSH-2.0-`; nil if the service does not speak first.
    package var banner: String?
    /// For the connection and the banner together.
    package var timeoutSeconds: Int

    package init(address: String = "127.0.0.1", port: Int, banner: String? = nil, timeoutSeconds: Int) {
        self.address = address
        self.port = port
        self.banner = banner
        self.timeoutSeconds = timeoutSeconds
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

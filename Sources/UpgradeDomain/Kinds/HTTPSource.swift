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

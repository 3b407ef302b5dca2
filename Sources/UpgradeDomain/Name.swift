import SafeText

/// A string that names one kind of thing, so that a host can never be passed where a layer is meant.
///
/// Encodes as a bare string, also as a dictionary key. Orders by its characters' scalars.
public protocol Name: RawRepresentable, Hashable, Codable, Sendable, Comparable, CodingKeyRepresentable,
    CustomStringConvertible, ExpressibleByStringLiteral
where RawValue == String, StringLiteralType == String {
    init(rawValue: String)
}

extension Name {
    public init(_ text: String) { self.init(rawValue: text) }
    public init(stringLiteral value: String) { self.init(rawValue: value) }
    public var description: String { rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    // As Swift's own for a raw value, which asks whether there is such a name: every text is one.
    public init(from decoder: any Decoder) throws {
        self.init(rawValue: try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// The inventory's name of a host; unique, `[a-z0-9][a-z0-9.-]*`, at most 63 characters.
public struct HostName: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a layer: a dependency tier with an owner.
public struct LayerName: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a component whose version a layer moves.
public struct ComponentName: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of one ordered step of a layer, such as `drain` or `redeploy`.
public struct StepName: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of one source of evidence.
public struct SurfaceName: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// A person or team who approves changes to a layer.
public struct Owner: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// One execution of a plan, such as `r-7k3fq2`.
public struct RunID: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The random identity of one ledger; agents remember which ledger owns their host.
public struct LedgerID: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// Random, and new for every lease: two copies of one ledger give out the same epochs, and never the same token.
public struct LeaseToken: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// The random identity of one agent's state folder: one machine, whatever names point at it.
public struct AgentIdentity: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
}

/// An exact version such as `1.5.0` or a commit id; never a floating word (see ``isFloating``).
public struct Version: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    private static let floatingWords: Set<String> = [
        "latest", "stable", "current", "newest", "edge", "nightly", "main", "master", "head", "dev", "*", "",
    ]

    /// Whether this names a moving target instead of one release; such a version can not be verified.
    public var isFloating: Bool {
        let word = rawValue.lowercasedASCII
        return Version.floatingWords.contains(word) || word.holds(anyOf: "*") || word.ends(with: ".x")
            || ["^", "~", ">", "<"].contains { word.begins(with: $0) }
    }
}

/// A SHA-256 digest as `sha256:` and 64 lower-case hexadecimal digits.
public struct Digest: Name {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The first 12 hexadecimal digits, for people.
    public var short: String { String(rawValue.cut(at: ":")?.after.prefix(12) ?? "") }
}

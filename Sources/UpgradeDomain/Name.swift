import SafeText

/// A string that names one kind of thing, so that a host can never be passed where a layer is meant.
///
/// Encodes as a bare string, also as a dictionary key. Sorts by Unicode scalar values.
package protocol Name: RawRepresentable, Hashable, Codable, Sendable, Comparable, CodingKeyRepresentable,
    CustomStringConvertible, ExpressibleByStringLiteral
where RawValue == String, StringLiteralType == String {
    init(rawValue: String)
}

extension Name {
    package init(_ text: String) { self.init(rawValue: text) }
    package init(stringLiteral value: String) { self.init(rawValue: value) }
    package var description: String { rawValue }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    // Like Swift's own for a raw value, but without the check whether the name exists: every text is valid.
    package init(from decoder: any Decoder) throws {
        self.init(rawValue: try decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// A host's name in the inventory; unique, `[a-z0-9][a-z0-9.-]*`, at most 63 characters.
package struct HostName: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a layer: a dependency tier with an owner.
package struct LayerName: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of a component whose version a layer changes.
package struct ComponentName: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of one ordered step of a layer, such as `drain` or `redeploy`.
package struct StepName: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The name of one source of evidence.
package struct SurfaceName: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// A person or team who approves changes to a layer.
package struct Owner: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// One execution of a plan, such as `r-7k3fq2`.
package struct RunID: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The random identity of one ledger. Agents remember which ledger owns their host.
package struct LedgerID: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// Random, and new for every lease. Two copies of one ledger issue the same epochs, but never the same token.
package struct LeaseToken: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// The random identity of one agent's state folder: one machine, no matter how many names point to it.
package struct AgentIdentity: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
}

/// An exact version such as `1.5.0` or a commit id; never a floating word (see ``isFloating``).
package struct Version: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    private static let floatingWords: Set<String> = [
        "latest", "stable", "current", "newest", "edge", "nightly", "main", "master", "head", "dev", "*", "",
    ]

    /// Whether it is one word without control characters, as every version is that a person writes.
    package var isOneWord: Bool { !rawValue.isEmpty && rawValue.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f } }

    /// Whether this names a moving target instead of one release. Such a version cannot be verified.
    package var isFloating: Bool {
        let word = rawValue.lowercasedASCII
        return Version.floatingWords.contains(word) || word.holds(anyOf: "*") || word.ends(with: ".x")
            || ["^", "~", ">", "<"].contains { word.begins(with: $0) }
    }
}

/// A SHA-256 digest as `sha256:` and 64 lower-case hexadecimal digits.
package struct Digest: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Whether it is a SHA-256 as this project writes it.
    package var isSHA256: Bool {
        guard let digits = rawValue.rest(after: "sha256:")?.utf8 else { return false }
        return digits.count == 64 && digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// The first 12 hexadecimal digits, for display.
    package var short: String { String(rawValue.cut(at: ":")?.after.prefix(12) ?? "") }
}

/// The names that may be given to something. ASCII only: no name can control a terminal, act as an option, or equal
/// another name that is spelled differently.
///
/// Names in an older ledger may break this grammar. They are still shown, held and rolled back, but no new run with
/// them is approved or started.
package struct NameGrammar: Sendable {
    /// Hosts, layers and groups. Their names are part of file names and operation IDs.
    package static let machine = NameGrammar(
        start: "abcdefghijklmnopqrstuvwxyz0123456789", more: ".-", longest: 63,
        words: "use lower-case letters, digits, '-' and '.', at most 63, beginning with a letter or digit")
    /// Steps, surfaces, components, owners and plans.
    package static let word = NameGrammar(
        start: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", more: "._@+-", longest: 63,
        words: "use letters, digits and '._@+-', at most 63, beginning with a letter or digit")
    /// Accounts on hosts.
    package static let login = NameGrammar(
        start: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_", more: ".@+-$", longest: 63,
        words: "use letters, digits and '._@+-$', at most 63, beginning with a letter, a digit or '_'")

    private let start: Set<UInt8>
    private let more: Set<UInt8>
    private let longest: Int
    /// The advice for a name that breaks it.
    package let words: String

    private init(start: String, more: String, longest: Int, words: String) {
        self.start = Set(start.utf8)
        self.more = Set(start.utf8).union(more.utf8)
        self.longest = longest
        self.words = words
    }

    /// Whether a text is a name of this kind.
    package func accepts(_ text: String) -> Bool {
        guard let first = text.utf8.first, start.contains(first), text.utf8.count <= longest else { return false }
        return text.utf8.allSatisfy(more.contains)
    }
}

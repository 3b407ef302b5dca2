import ContentDigest
import SafeText
import UpgradeDomain

/// Valid names for hosts whose own names are not.
enum HostNames {
    private static let longest = 63
    private static let digits = 8

    /// The same name if it is valid, else the nearest valid one: in lower case, with `-` for what is not allowed. A longer
    /// one is cut, and ends in some digits of its digest. It depends on nothing but the name, so that it stays the same
    /// from one import to the next.
    static func valid(_ name: String) -> String {
        if NameGrammar.machine.accepts(name) { return name }
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789.-".utf8)
        let (dash, dot) = (UInt8(ascii: "-"), UInt8(ascii: "."))
        let bytes = name.lowercasedASCII.unicodeScalars.map { scalar in
            UInt8(exactly: scalar.value).flatMap { allowed.contains($0) ? $0 : nil } ?? dash
        }
        var text = String(decoding: bytes.drop { $0 == dash || $0 == dot }, as: UTF8.self)
        if text.isEmpty { text = "host-\(digest(of: name))" }
        guard text.utf8.count > longest else { return text }
        let start = text.utf8.prefix(longest - digits - 1)
        return "\(Substring(start))-\(digest(of: name))"
    }

    private static func digest(of name: String) -> String {
        String(Substring(Digest.sha256(of: Array(name.utf8)).short.utf8.prefix(digits)))
    }

    /// Our name of a host: the one that a mapping gives it, else its own as a valid one.
    static func name(of host: ForeignHost, _ mapping: InventoryMapping?) -> String {
        mapping?.names[host.name]?.name ?? valid(host.name)
    }

    /// Whether a name is an address alone, which says nothing to a reader.
    static func isAddress(_ name: String) -> Bool {
        switch HostAddress(name) {
        case .v4, .v6: true
        case .name, nil: false
        }
    }
}

import SafeText

/// Says what is the same of several hosts once: of the others it names the first.
package struct SaidOnce {
    private var first: [String: String] = [:]

    package init() {}

    /// - Parameters:
    ///   - words: what is said. That it begins with the host's name makes no difference.
    ///   - whom: of whom; a host, or a placement of it.
    package mutating func words(_ words: String, of whom: String) -> String {
        let host = String(decoding: whom.utf8.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
        let same = words.rest(after: "\(host) ").map(String.init) ?? words
        if let before = first[same], before != whom { return "as \(before)" }
        first[same] = whom
        return words
    }
}

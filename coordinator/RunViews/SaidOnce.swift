import SafeText

/// Avoids repeated messages: if several hosts have the same message, later ones refer to the first.
package struct SaidOnce {
    private var first: [String: String] = [:]

    package init() {}

    /// - Parameters:
    ///   - words: the message. A leading host name is ignored in comparisons.
    ///   - whom: the subject of the message; a host, or a placement of it.
    package mutating func words(_ words: String, of whom: String) -> String {
        let host = String(decoding: whom.utf8.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
        let same = words.rest(after: "\(host) ").map(String.init) ?? words
        if let before = first[same], before != whom { return "same as \(before)" }
        first[same] = whom
        return words
    }
}

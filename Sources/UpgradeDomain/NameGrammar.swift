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

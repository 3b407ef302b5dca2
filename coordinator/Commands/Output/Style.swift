/// Colours and weights, or none of them.
struct Style: Hashable, Sendable {
    var isEnabled: Bool

    static let plain = Style(isEnabled: false)

    /// What the sequences below are made of, and their end.
    static let codes: Set<String> = ["0", "1", "2", "31", "32", "33", "36"]

    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }
    func red(_ text: String) -> String { wrap(text, "31") }
    func green(_ text: String) -> String { wrap(text, "32") }
    func yellow(_ text: String) -> String { wrap(text, "33") }
    func cyan(_ text: String) -> String { wrap(text, "36") }

    private func wrap(_ text: String, _ code: String) -> String {
        isEnabled && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}

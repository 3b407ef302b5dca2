import SafeText

/// Colours and weights, or none of them.
struct Style: Hashable, Sendable {
    var isEnabled: Bool

    static let plain = Style(isEnabled: false)

    func bold(_ text: TerminalText) -> TerminalText { shown(text, .bold) }
    func dim(_ text: TerminalText) -> TerminalText { shown(text, .dim) }
    func red(_ text: TerminalText) -> TerminalText { shown(text, .red) }
    func green(_ text: TerminalText) -> TerminalText { shown(text, .green) }
    func yellow(_ text: TerminalText) -> TerminalText { shown(text, .yellow) }
    func cyan(_ text: TerminalText) -> TerminalText { shown(text, .cyan) }

    private func shown(_ text: TerminalText, _ rendition: TerminalText.Rendition) -> TerminalText {
        isEnabled && !text.isEmpty ? text.rendered(rendition) : text
    }
}

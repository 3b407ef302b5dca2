import SafeText

/// Lines at the bottom of a terminal that are drawn again in place.
struct LiveRegion {
    private var drawn: [TerminalText] = []

    /// The bytes that turn what is drawn into the new lines.
    mutating func update(_ lines: [TerminalText]) -> String {
        guard lines != drawn else { return "" }
        var text = drawn.isEmpty ? "" : "\u{1b}[\(drawn.count)A"
        for line in lines { text += "\u{1b}[2K\(line.written)\n" }
        if drawn.count > lines.count {
            text += "\u{1b}[0J"
        }
        drawn = lines
        return text
    }
}

import SafeText

/// The size of a terminal, in characters.
struct TerminalSize: Hashable {
    var columns: Int
    var rows: Int
}

/// Lines at the bottom of a terminal that are redrawn in place. They never fill the terminal, because lines that have
/// scrolled away can not be redrawn.
struct LiveRegion {
    private var drawn: [TerminalText] = []
    private var size: TerminalSize?

    /// The bytes that replace the drawn lines with the new ones.
    ///
    /// - Parameter size: the current size of the terminal. Lines that are too wide, or too many, are cut.
    mutating func update(_ lines: [TerminalText], in size: TerminalSize) -> String {
        let lines = lines.prefix(max(0, size.rows - 1)).map { $0.clipped(to: size.columns) }
        guard lines != drawn || size != self.size else { return "" }
        var text = drawn.isEmpty ? "" : "\u{1b}[\(min(drawn.count, max(1, size.rows - 1)))A"
        if let before = self.size, size.columns < before.columns, !drawn.isEmpty {
            // Terminals that rewrap lines have moved what was drawn by an unknown amount.
            text = "\u{1b}[H\u{1b}[0J"
        }
        for line in lines { text += "\u{1b}[2K\(line.written)\n" }
        if drawn.count > lines.count { text += "\u{1b}[0J" }
        drawn = lines
        self.size = size
        return text
    }
}

import SafeText

/// The output never controls a terminal or hides text; it is bounded and fits.
enum TerminalProperties {
    /// Spelled out, so that it does not repeat how the code under test decides: C0, DEL, C1, separators, what turns the
    /// direction of text, zero widths, invisible operators, interlinear marks, tags, variation selectors.
    private static let dangerous: [ClosedRange<UInt32>] = [
        0x00...0x1f, 0x7f...0x9f, 0xad...0xad, 0x61c...0x61c, 0x180e...0x180e, 0x200b...0x200f, 0x2028...0x202e,
        0x2060...0x206f, 0xfe00...0xfe0f, 0xfeff...0xfeff, 0xfff9...0xfffb, 0xe0000...0xe0fff,
    ]

    static func check(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        let escaped = Terminal.escaped(text)
        for scalar in escaped.unicodeScalars {
            let isDangerous = dangerous.contains { $0.contains(scalar.value) }
            require(!isDangerous, "U+\(String(scalar.value, radix: 16)) reaches the terminal")
        }
        require(escaped.utf8.count <= text.utf8.count * Terminal.growth, "\(escaped.utf8.count) bytes")
        require(Terminal.escaped(escaped) == escaped, "escaping twice gives a different text")

        let columns = input.count % 120
        let line = TerminalText(escaping: text)
        require(line.clipped(to: columns).width <= columns, "wider than \(columns)")
        let wrapped = line.wrapped(to: columns, indent: 2)
        require(
            wrapped.joined().written.replacing(" ", with: "") == escaped.replacing(" ", with: ""),
            "wrapping at \(columns) changed the text")
    }
}

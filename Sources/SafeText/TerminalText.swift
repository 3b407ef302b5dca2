/// Text from hosts and files, made safe and measured for a terminal.
public enum TerminalText {
    /// How many times longer an escaped text can be, in UTF-8: ESC is one byte, `\u{1b}` has six.
    public static let growth = 6

    /// Replaces what could steer a terminal or hide text by `\u{...}`. The result has at most ``growth`` times the bytes.
    public static func escaped(_ text: String, keepingNewlines: Bool = false) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\n" ? keepingNewlines : !canSteerOrHide(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return result
    }

    /// One line as it is written to a terminal or a pipe: nothing in it steers but the sequences of our own styles, and no line end
    /// begins another.
    ///
    /// - Parameter styles: The parameters of the SGR sequences that stay (ECMA-48, 8.3.117).
    public static func line(_ text: String, styles: Set<String>) -> String {
        var result = ""
        var rest = text.unicodeScalars[...]
        while let escape = rest.firstIndex(of: "\u{1b}") {
            result += escaped(String(rest[..<escape]))
            let sequence = rest[escape...].prefix(8)
            if let end = sequence.firstIndex(of: "m"), sequence.dropFirst().first == "[",
                styles.contains(String(sequence[..<end].dropFirst(2)))
            {
                result.unicodeScalars.append(contentsOf: rest[escape...end])
                rest = rest[end...].dropFirst()
            } else {
                result += escaped("\u{1b}")
                rest = rest[escape...].dropFirst()
            }
        }
        return result + escaped(String(rest))
    }

    /// Unicode's own properties, so that no list of ours can miss one: C0 and C1 controls, line and paragraph separators,
    /// formats (what turns the direction of text, zero widths, tags), and whatever else shows nothing.
    static func canSteerOrHide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// How many columns a text takes, escape sequences of our own styles left out.
    public static func width(_ text: String) -> Int {
        var columns = 0
        var inSequence = false
        for scalar in text.unicodeScalars {
            if inSequence {
                if scalar == "m" { inSequence = false }
            } else if scalar == "\u{1b}" {
                inSequence = true
            } else {
                columns += width(of: scalar)
            }
        }
        return columns
    }

    private static func width(of scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        let isWide =
            (0x1100...0x115f).contains(scalar.value) || (0x2e80...0xa4cf).contains(scalar.value)
            || (0xac00...0xd7a3).contains(scalar.value) || (0xf900...0xfaff).contains(scalar.value)
            || (0xfe30...0xfe6f).contains(scalar.value) || (0xff00...0xff60).contains(scalar.value)
            || (0x1f300...0x1faff).contains(scalar.value) || (0x20000...0x3fffd).contains(scalar.value)
        return isWide ? 2 : 1
    }

    /// Cut to a number of columns, with an ellipsis where something was cut. Only for text without styles.
    public static func clipped(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        var result = ""
        var used = 0
        for character in text {
            let next = width(String(character))
            guard used + next < columns else { break }
            result.append(character)
            used += next
        }
        return columns > 0 ? result + "…" : ""
    }

    /// Broken at spaces into lines of at most `columns`; the first line keeps its own indent, the others get `indent`.
    public static func wrapped(_ text: String, to columns: Int, indent: String = "") -> [String] {
        guard width(text) > columns, columns > indent.count + 20 else { return [text] }
        var lines: [String] = []
        var line = String(text.prefix { $0 == " " })
        var isFresh = true
        for word in text.dropFirst(line.count).split(separator: " ", omittingEmptySubsequences: false) {
            let candidate = isFresh ? line + word : line + " " + word
            if width(candidate) > columns, !isFresh {
                lines.append(line)
                line = indent + word
            } else {
                line = candidate
            }
            isFresh = false
        }
        return lines + [line]
    }
}

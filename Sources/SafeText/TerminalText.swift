/// A terminal, or a pipe to one: text line by line.
package enum Terminal: TextSink {
    /// How many times longer an escaped text can be, in UTF-8 bytes: ESC is one byte, `\u{1b}` has six.
    package static let growth = 6

    /// Replaces characters that could control a terminal, hide text or begin a line with `\u{...}`. The result has at
    /// most ``growth`` times the bytes.
    package static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if canSteerOrHide(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Uses Unicode's own properties, so that no list of Lockflight's can miss one: C0 and C1 controls, line and
    /// paragraph separators, format characters (text direction, zero width, tags), and everything else that is
    /// invisible.
    static func canSteerOrHide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// How many columns a text takes, not counting Lockflight's own style sequences.
    static func width(_ text: String) -> Int {
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
        return isWide || scalar.properties.isEmojiPresentation ? 2 : 1
    }
}

/// One line on a terminal.
package typealias TerminalText = Text<Terminal>

extension Text<Terminal> {
    /// Select Graphic Rendition (ECMA-48, 8.3.117).
    package enum Rendition: Int, Sendable {
        case bold = 1
        case dim = 2
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }

    /// Shown in this style; the text after it returns to the previous style.
    package func rendered(_ rendition: Rendition) -> TerminalText {
        TerminalText(written: "\u{1b}[\(rendition.rawValue)m\(written)\u{1b}[0m")
    }

    /// How many columns it takes.
    package var width: Int { Terminal.width(written) }

    /// Padded with spaces.
    package func padded(to columns: Int) -> TerminalText { self + TerminalText(repeating: " ", count: columns - width) }

    /// Cut to a number of columns, with an ellipsis if something was cut. Only for text without styles.
    package func clipped(to columns: Int) -> TerminalText {
        guard width > columns else { return self }
        guard columns > 0 else { return "" }
        var result = ""
        var used = 0
        var isStyle = false
        var isStyled = false
        for character in written {
            if isStyle || character == "\u{1b}" {
                // Style sequences are Lockflight's own and take no columns: from ESC to `m`.
                result.append(character)
                isStyle = character.unicodeScalars.first != "m"
                isStyled = true
                continue
            }
            let next = Terminal.width(String(character))
            guard used + next < columns else { break }
            result.append(character)
            used += next
        }
        return TerminalText(written: result + "…" + (isStyled ? "\u{1b}[0m" : ""))
    }

    /// Broken at spaces into lines of at most `columns`. The first line keeps its own indent; the others are indented
    /// by `indent` spaces.
    package func wrapped(to columns: Int, indent: Int = 0) -> [TerminalText] {
        guard width > columns, columns > indent + 20 else { return [self] }
        var lines: [String] = []
        var line = String(decoding: written.utf8.prefix { $0 == 0x20 }, as: UTF8.self)
        var isFresh = true
        for word in written.utf8.dropFirst(line.utf8.count).split(separator: 0x20, omittingEmptySubsequences: false) {
            let word = String(Substring(word))
            let candidate = isFresh ? line + word : line + " " + word
            if Terminal.width(candidate) > columns, !isFresh {
                lines.append(line)
                line = String(repeating: " ", count: indent) + word
            } else {
                line = candidate
            }
            isFresh = false
        }
        return (lines + [line]).map(TerminalText.init(written:))
    }
}

/// An HTML page: the text of an element or attribute (HTML Living Standard, 13.1).
package enum HTML: TextSink {
    /// Characters that could control or hide text are shown as on a terminal. Processed scalar by scalar, because a
    /// combining mark next to a `<` forms one character with it and must not prevent its replacement.
    package static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in Terminal.escaped(text).unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// A Markdown page: text within a line or a table's cell (CommonMark, and GitHub's tables and links).
package enum Markdown: TextSink {
    /// Removes the meaning of all markup, links, images and HTML, and of a `
    /// ` that would end a cell. Readers disagree about a `\` in a table, so `\` and `
    /// ` become entities.
    package static func escaped(_ text: String) -> String {
        var result = ""
        var last: Unicode.Scalar = " "
        var lettersW = 0
        // Whether only spaces, or only digits, came before.
        var isStart = true
        var isNumber = false
        for scalar in Terminal.escaped(text).unicodeScalars {
            switch scalar {
            case "\\": result += "&#92;"
            case "|": result += "&#124;"
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case "`", "*", "[", "]", "~", "$": result += "\\\(scalar)"
            // Within a word it has no special meaning.
            case "_": result += "\\_"
            // Prevents readers from turning an address into a link.
            case "/": result += last == "/" ? "&#47;" : "/"
            case ".": result += isNumber || lettersW >= 3 ? "&#46;" : "."
            // Would begin a heading, a list or a quotation.
            case "-", "+", "=", ">": result += isStart ? "\\\(scalar)" : String(scalar)
            // Also prevents a closing `#` of a heading.
            case "#": result += last == " " ? "\\#" : "#"
            // A numbered list, and spaces that would turn a line into code.
            case ")": result += isNumber ? "\\)" : ")"
            case " ": result += result.isEmpty ? "&#32;" : " "
            default: result.unicodeScalars.append(scalar)
            }
            let isDigit = ("0"..."9").contains(scalar)
            isNumber = isDigit && (isStart || isNumber)
            isStart = isStart && scalar == " "
            last = scalar
            lettersW = scalar == "w" || scalar == "W" ? lettersW + 1 : 0
        }
        return result
    }
}

/// Text that is safe in HTML and shows unchanged in a browser.
package typealias HTMLText = Text<HTML>
/// Text that is safe in Markdown and shows unchanged.
package typealias MarkdownText = Text<Markdown>

extension Text<Markdown> {
    /// As inline code within a line, between more backticks than any sequence of them in the text.
    package init(code: String) {
        let text = Terminal.escaped(code)
        let longest = text.unicodeScalars.split { $0 != "`" }.map(\.count).max() ?? 0
        let fence = String(repeating: "`", count: longest + 1)
        let space = longest > 0 ? " " : ""
        self.init(written: fence + space + text + space + fence)
    }
}

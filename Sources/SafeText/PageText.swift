/// An HTML page: the text of an element or attribute (HTML Living Standard, 13.1).
package enum HTML: TextSink {
    /// What could steer or hide is shown as on a terminal. Scalar by scalar: a mark that joins the `<` before or after it to one
    /// character does not keep it from being replaced.
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
    /// No markup, link, image or HTML is left in it, and no `|` that ends a cell. What follows `\` in a table is not the same
    /// to every reader, so that `\` and `|` are entities.
    package static func escaped(_ text: String) -> String {
        var result = ""
        var last: Unicode.Scalar = " "
        var lettersW = 0
        // Whether nothing but spaces, or nothing but digits, came before.
        var isStart = true
        var isNumber = false
        for scalar in Terminal.escaped(text).unicodeScalars {
            switch scalar {
            case "\\": result += "&#92;"
            case "|": result += "&#124;"
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case "`", "*", "[", "]", "~", "$": result += "\\\(scalar)"
            // Within a word it is only itself.
            case "_": result += "\\_"
            // An address that a reader would make a link of.
            case "/": result += last == "/" ? "&#47;" : "/"
            case ".": result += isNumber || lettersW >= 3 ? "&#46;" : "."
            // What would begin a heading, a list or a quotation.
            case "-", "+", "=", ">": result += isStart ? "\\\(scalar)" : String(scalar)
            // Also what would end a heading.
            case "#": result += last == " " ? "\\#" : "#"
            // A numbered list, and spaces that make code of a line.
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

/// Text that a browser shows as it is.
package typealias HTMLText = Text<HTML>
/// Text that a Markdown reader shows as it is.
package typealias MarkdownText = Text<Markdown>

extension Text<Markdown> {
    /// Within a line as code, between more backticks than follow each other in it.
    package init(code: String) {
        let text = Terminal.escaped(code)
        let longest = text.unicodeScalars.split { $0 != "`" }.map(\.count).max() ?? 0
        let fence = String(repeating: "`", count: longest + 1)
        let space = longest > 0 ? " " : ""
        self.init(written: fence + space + text + space + fence)
    }
}

/// Text from outside as the text of an HTML element or attribute (HTML Living Standard, 13.1).
public enum HTMLText {
    /// What could steer or hide is shown as on a terminal. Scalar by scalar: a mark that joins the `<` before or after it to one
    /// character does not keep it from being replaced.
    public static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in TerminalText.escaped(text).unicodeScalars {
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

/// Text from outside within a line or a table's cell of Markdown (CommonMark, and GitHub's tables and links).
public enum MarkdownText {
    /// No markup, link, image or HTML is left in it, and no `|` that ends a cell. What follows `\` in a table is not the same
    /// to every reader, so that `\` and `|` are entities.
    public static func escaped(_ text: String) -> String {
        var result = ""
        var last: Unicode.Scalar = " "
        var lettersW = 0
        for scalar in TerminalText.escaped(text).unicodeScalars {
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
            case ".": result += lettersW >= 3 ? "&#46;" : "."
            // What would begin a heading, a list or a quotation.
            case "#", "-", "+", "=", ">": result += result.isEmpty ? "\\\(scalar)" : String(scalar)
            default: result.unicodeScalars.append(scalar)
            }
            last = scalar
            lettersW = scalar == "w" || scalar == "W" ? lettersW + 1 : 0
        }
        return result
    }

    /// Within a line as code, between more backticks than follow each other in it.
    public static func code(_ text: String) -> String {
        let text = TerminalText.escaped(text)
        let longest = text.unicodeScalars.split { $0 != "`" }.map(\.count).max() ?? 0
        let fence = String(repeating: "`", count: longest + 1)
        let space = longest > 0 ? " " : ""
        return fence + space + text + space + fence
    }
}

/// What of YAML a file may not use, looked for before it is parsed.
///
/// An anchor lets a few lines stand for millions of values. A key that is a collection is hashed with all that it holds,
/// once more at each level around it. Either makes a small file take minutes and gigabytes, and no inventory or plan needs
/// them. The parser offers no limits of its own for them, so this reads the text as such: a word inside a quoted text that
/// only looks like an anchor is refused as well, and the remedy says how to write it.
enum YAMLSubset {
    /// The most `[` and `{` that may be open within one line. A key that is a collection stands within one line, so no
    /// key is hashed more often than this.
    static let nestingInLine = 16

    /// The first thing that is refused, and the line, from 1, that it is on.
    static func refusal(of text: String) -> (line: Int, message: String, remedy: String)? {
        var line = 1
        var depth = 0
        var mayStartToken = true
        var scalars = text.unicodeScalars.makeIterator()
        var next = scalars.next()
        while let scalar = next {
            next = scalars.next()
            switch scalar {
            case "\n":
                line += 1
                depth = 0
            case "[", "{":
                depth += 1
                if depth > nestingInLine {
                    return (line, "more than \(nestingInLine) brackets are open in one line", "write it in block style")
                }
            case "]", "}":
                depth = max(0, depth - 1)
            case "&" where mayStartToken && next.map(isOfAnchor) == true:
                return (line, "anchors are not read", "write the value out; in a text, put a space after '&'")
            case "?" where mayStartToken:
                return (
                    line, "keys that begin with '?' are not read",
                    "write 'key: value'; in a text, put no space before '?'"
                )
            default: break
            }
            mayStartToken = isBeforeToken(scalar)
        }
        return nil
    }

    /// What libyaml lets stand before an indicator: blanks, breaks, a byte order mark, and other indicators.
    private static func isBeforeToken(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "[", "{", ",", ":", "?", "-", "\u{feff}": true
        default: scalar.properties.isWhitespace
        }
    }

    private static func isOfAnchor(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
            || scalar == "_" || scalar == "-"
    }
}

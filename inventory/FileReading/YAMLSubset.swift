/// YAML features that a file may not use, checked before it is parsed.
///
/// With anchors a few lines can expand to millions of values. A key that is a collection is hashed with its whole
/// content, once more at each level around it. Either lets a small file take minutes and gigabytes, and no inventory or
/// plan needs them. The parser has no limits for them, so this scans the raw text: a word inside a quoted text that
/// only looks like an anchor is refused as well, and the remedy says how to write it.
enum YAMLSubset {
    /// How many `[` and `{` may be open within one line. A key that is a collection is always within one line, so no
    /// key is hashed more often than this.
    static let nestingInLine = 16

    /// The first refused feature and its line, from 1.
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
                return (line, "anchors are not supported", "write the value out; in a text, put a space after '&'")
            case "?" where mayStartToken:
                return (
                    line, "keys that begin with '?' are not supported",
                    "write 'key: value'; in a text, put no space before '?'"
                )
            default: break
            }
            mayStartToken = isBeforeToken(scalar)
        }
        return nil
    }

    /// What libyaml allows before an indicator: spaces, line breaks, a byte order mark, and other indicators.
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

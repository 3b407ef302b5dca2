// Text from outside is cut and compared byte by byte. Swift's own `split`, `contains` and `hasPrefix` look at characters, and one
// character may be CR LF, or a `:` together with the mark that follows it: then there is no line end and no colon.

extension String {
    /// The lines of a text, ended by LF or CR LF, without their ends; empty ones between others are kept.
    public var lines: [Substring] { Substring(self).lines }

    /// The words between bytes that separate them.
    public func fields(separatedBy separators: String = " \t") -> [Substring] {
        Substring(self).fields(separatedBy: separators)
    }

    public func begins(with start: String) -> Bool { utf8.starts(with: start.utf8) }

    /// Whether one of these bytes, which are ASCII, is in the text.
    public func holds(anyOf bytes: String) -> Bool { utf8.contains(where: bytes.utf8.contains) }
}

extension Substring {
    public var lines: [Substring] {
        var lines = utf8.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
            Substring(line.last == 0x0d ? line.dropLast() : line)
        }
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    public func fields(separatedBy separators: String = " \t") -> [Substring] {
        utf8.split(whereSeparator: separators.utf8.contains).map { Substring($0) }
    }

    public func begins(with start: String) -> Bool { utf8.starts(with: start.utf8) }
}

// Text from outside is cut and compared byte by byte. Swift's own `split`, `contains` and `hasPrefix` look at characters, and one
// character may be CR LF, or a `:` together with the mark that follows it: then there is no line end and no colon.
//
// What is looked for is ASCII, so that no letter is ever cut in two.

extension StringProtocol where SubSequence == Substring {
    private var bytes: Substring.UTF8View { self[...].utf8 }

    // MARK: Pieces

    /// The lines of a text, ended by LF or CR LF, without their ends; empty ones between others are kept.
    package var lines: [Substring] {
        var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
            Substring(line.last == 0x0d ? line.dropLast() : line)
        }
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    /// The words between bytes that separate them; none is empty.
    package func fields(separatedBy separators: String = " \t") -> [Substring] {
        bytes.split(whereSeparator: separators.utf8.contains).map { Substring($0) }
    }

    /// What stands between the places where the whole separator stands; empty pieces are kept.
    package func pieces(separatedBy separator: String) -> [Substring] {
        var pieces: [Substring] = []
        var rest = bytes
        while let start = rest.start(of: separator) {
            pieces.append(Substring(rest[..<start]))
            rest = rest[start...].dropFirst(separator.utf8.count)
        }
        return pieces + [Substring(rest)]
    }

    /// What stands before and after the first such byte; nil where there is none.
    package func cut(at mark: Unicode.Scalar) -> (before: Substring, after: Substring)? {
        bytes.firstIndex(of: UInt8(ascii: mark)).map { halves(around: $0) }
    }

    /// What stands before and after the last such byte; nil where there is none.
    package func cut(atLast mark: Unicode.Scalar) -> (before: Substring, after: Substring)? {
        bytes.lastIndex(of: UInt8(ascii: mark)).map { halves(around: $0) }
    }

    private func halves(around index: String.Index) -> (before: Substring, after: Substring) {
        (Substring(bytes[..<index]), Substring(bytes[index...].dropFirst()))
    }

    // MARK: Beginnings and ends

    /// Byte by byte: what Unicode counts as equal is not looked for.
    package func begins(with start: String) -> Bool { bytes.starts(with: start.utf8) }

    /// Byte by byte, as ``begins(with:)``.
    package func ends(with end: String) -> Bool { bytes.suffix(end.utf8.count).elementsEqual(end.utf8) }

    /// What follows the start; nil where the text begins otherwise.
    package func rest(after start: String) -> Substring? {
        begins(with: start) ? Substring(bytes.dropFirst(start.utf8.count)) : nil
    }

    /// What comes before the end; nil where the text ends otherwise.
    package func rest(before end: String) -> Substring? {
        ends(with: end) ? Substring(bytes.dropLast(end.utf8.count)) : nil
    }

    /// The text before the first of these bytes; all of it where there is none.
    package func prefix(upToAnyOf marks: String) -> Substring {
        Substring(bytes.prefix { !marks.utf8.contains($0) })
    }

    /// The text without spaces, tabs and line ends at its start and its end.
    package var trimmed: Substring {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return Substring(bytes[...last].drop(while: isSpace))
    }

    // MARK: What is in it

    /// Whether one of these bytes is in the text.
    package func holds(anyOf marks: String) -> Bool { bytes.contains(where: marks.utf8.contains) }

    /// Whether these words are in the text, byte for byte.
    package func holds(_ words: String) -> Bool { bytes.start(of: words) != nil }
}

extension Substring.UTF8View {
    /// Where the words stand first. The standard library's own search would bring regular expressions into the agent.
    fileprivate func start(of words: String) -> Index? {
        indices.first { self[$0...].starts(with: words.utf8) }
    }
}

// External text is split and compared byte by byte. Swift's own `split`, `contains` and `hasPrefix` work on characters,
// and one character may be CR LF, or a `:` together with a combining mark after it. Then they would find no line end
// and no colon.
//
// Only ASCII is searched for, so that no letter is ever split.

extension StringProtocol where SubSequence == Substring {
    private var bytes: Substring.UTF8View { self[...].utf8 }

    // MARK: Pieces

    /// The lines of a text, ended by LF or CR LF, without the line ends. Empty lines in between are kept.
    package var lines: [Substring] {
        var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
            Substring(line.last == 0x0d ? line.dropLast() : line)
        }
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    /// The words between separator bytes; none is empty.
    package func fields(separatedBy separators: String = " \t") -> [Substring] {
        bytes.split(whereSeparator: separators.utf8.contains).map { Substring($0) }
    }

    /// The text between occurrences of the whole separator. Empty pieces are kept.
    package func pieces(separatedBy separator: String) -> [Substring] {
        var pieces: [Substring] = []
        var rest = bytes
        while let start = rest.start(of: separator) {
            pieces.append(Substring(rest[..<start]))
            rest = rest[start...].dropFirst(separator.utf8.count)
        }
        return pieces + [Substring(rest)]
    }

    /// The text before and after the first such byte; nil if there is none.
    package func cut(at mark: Unicode.Scalar) -> (before: Substring, after: Substring)? {
        bytes.firstIndex(of: UInt8(ascii: mark)).map { halves(around: $0) }
    }

    /// The text before and after the last such byte; nil if there is none.
    package func cut(atLast mark: Unicode.Scalar) -> (before: Substring, after: Substring)? {
        bytes.lastIndex(of: UInt8(ascii: mark)).map { halves(around: $0) }
    }

    private func halves(around index: String.Index) -> (before: Substring, after: Substring) {
        (Substring(bytes[..<index]), Substring(bytes[index...].dropFirst()))
    }

    // MARK: Beginnings and ends

    /// Compares byte by byte: Unicode equivalence is ignored.
    package func begins(with start: String) -> Bool { bytes.starts(with: start.utf8) }

    /// Compares byte by byte, like ``begins(with:)``.
    package func ends(with end: String) -> Bool { bytes.suffix(end.utf8.count).elementsEqual(end.utf8) }

    /// The text after the start; nil if the text begins differently.
    package func rest(after start: String) -> Substring? {
        begins(with: start) ? Substring(bytes.dropFirst(start.utf8.count)) : nil
    }

    /// The text before the end; nil if the text ends differently.
    package func rest(before end: String) -> Substring? {
        ends(with: end) ? Substring(bytes.dropLast(end.utf8.count)) : nil
    }

    /// The text before the first of these bytes; all of it if there is none.
    package func prefix(upToAnyOf marks: String) -> Substring {
        Substring(bytes.prefix { !marks.utf8.contains($0) })
    }

    /// The text without spaces, tabs and line ends at its start and end.
    package var trimmed: Substring {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return "" }
        return Substring(bytes[...last].drop(while: isSpace))
    }

    // MARK: Content

    /// Whether the text contains one of these bytes.
    package func holds(anyOf marks: String) -> Bool { bytes.contains(where: marks.utf8.contains) }

    /// Whether the text contains these words, byte for byte.
    package func holds(_ words: String) -> Bool { bytes.start(of: words) != nil }
}

extension Substring.UTF8View {
    /// The position of the first match. The standard library's own search would add regular expressions to the agent.
    fileprivate func start(of words: String) -> Index? {
        guard let first = words.utf8.first else { return indices.first }
        var rest = self
        while let start = rest.firstIndex(of: first) {
            rest = rest[start...]
            if rest.starts(with: words.utf8) { return start }
            rest = rest.dropFirst()
        }
        return nil
    }
}

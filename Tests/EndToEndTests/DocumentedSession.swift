import Foundation
import Testing

/// The examples of a page: what is typed and what the program prints. Each is in a fenced block after a line such as
///
///     <!-- shown: approve -->
///
/// and has its commands after `$ `. A block with output only names its command in that line, after a second colon.
/// A line `...` stands for any lines, and `...` at the end of one for the rest of it.
struct DocumentedSession {
    struct Example {
        var name: String
        /// A command that the page does not show; nil where the block has its own.
        var command: String?
        var lines: [String]

        /// What a shell runs: each line as it would be typed, with the exit code of the previous one.
        var script: String {
            if let command { return "exec 2>&1\n\(command)" }
            let typed = lines.filter { $0.hasPrefix("$ ") }.map { String($0.dropFirst(2)) }
            return "exec 2>&1\ncode=0\n"
                + typed.map { "printf '%s\\n' '$ \(shellQuoted($0))'\n(exit $code); \($0)\ncode=$?\n" }.joined()
        }

        private func shellQuoted(_ text: String) -> String { text.replacing("'", with: "'\\''") }

        /// The first line of the page that differs from what was printed; nil if there is none.
        func difference(from printed: String) -> String? {
            var found = printed.split(separator: "\n", omittingEmptySubsequences: false).map(Example.shape)[...]
            while found.last == "" { found.removeLast() }
            var isOpen = false
            for line in lines {
                if line.trimmed == "..." {
                    isOpen = true
                    continue
                }
                let wanted = Example.shape(Substring(line))
                guard let place = isOpen ? found.firstIndex(where: { Example.fits($0, wanted) }) : found.indices.first,
                    Example.fits(found[place], wanted)
                else { return line }
                found = found[(place + 1)...]
                isOpen = false
            }
            return isOpen || found.isEmpty ? nil : "what follows: \(found[found.startIndex])"
        }

        private static func fits(_ found: String, _ wanted: String) -> Bool {
            wanted.hasSuffix("...") ? found.hasPrefix(wanted.dropLast(3).trimmed) : found == wanted
        }

        /// A line without what differs in each run: ids, times, ages, digests, addresses, sizes and column widths.
        private static func shape(_ line: Substring) -> String {
            var text = String(line)
            for (pattern, word) in patterns { text = text.replacing(pattern, with: word) }
            return text.split(separator: " ").joined(separator: " ")
        }

        private static var patterns: [(Regex<AnyRegexOutput>, String)] {
            let pairs = [
                (#"\br-[a-z2-9]{6}\b"#, "RUN"), (#"\d{4}-\d\d-\d\dT[0-9:.]+Z"#, "TIME"),
                (#"SHA256:[A-Za-z0-9+/]{3,}=?"#, "FINGERPRINT"), (#"\b[0-9a-f]{64}\b"#, "DIGEST"),
                (#"\b[0-9a-f]{12}\b"#, "SHORT"), (#"\b[a-z_][a-z0-9_-]*@[0-9.]+:\d+"#, "USER@ADDRESS"),
                (#"\bport \d+"#, "port N"), (#"OS user [a-z_][a-z0-9_-]*"#, "OS user USER"),
                (#"-?\b\d+ ms\b"#, "N ms"), (#"\b\d+ MiB\b"#, "N MiB"), (#"\b\d+(s|m|h)\b"#, "AGE"),
                (#"after \d+ s\b"#, "after N s"),
            ]
            return pairs.compactMap { pattern, word in (try? Regex(pattern)).map { ($0, word) } }
        }
    }

    let path: String
    let examples: [Example]
    /// Blocks with commands and outputs that no test compares.
    let unmarked: [String]

    init(_ path: String) throws {
        self.path = path
        let text = try String(contentsOfFile: "\(FleetFixture.repository)/\(path)", encoding: .utf8)
        var examples: [Example] = []
        var open: Example?
        var isInside = false
        var (block, unmarked): ([String], [String]) = ([], [])
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let bare = line.trimmed
            if !isInside, bare.hasPrefix("<!-- shown: "), bare.hasSuffix(" -->") {
                let words = bare.dropFirst(12).dropLast(4).split(separator: ":", maxSplits: 1).map(String.init)
                open = Example(name: words[0], command: words.count > 1 ? words[1].trimmed : nil, lines: [])
            } else if bare.hasPrefix("```") {
                if isInside, var example = open {
                    example.lines = block
                    examples.append(example)
                    open = nil
                } else if isInside, block.first?.hasPrefix("$ ") == true, !block.allSatisfy({ $0.hasPrefix("$ ") }) {
                    unmarked += block.prefix(1)
                }
                isInside.toggle()
                block = []
            } else if isInside {
                block.append(line)
            }
        }
        self.examples = examples
        self.unmarked = unmarked
    }

    /// Puts what was printed in place of an example. What the page left out is to be left out again by hand.
    func rewrite(_ example: Example, as printed: String) throws {
        let file = "\(FleetFixture.repository)/\(path)"
        var lines = try String(contentsOfFile: file, encoding: .utf8).components(separatedBy: "\n")
        let marker = try #require(
            lines.firstIndex { line in
                let bare = line.trimmed
                return ["<!-- shown: \(example.name) -->", "<!-- shown: \(example.name):"].contains {
                    bare.hasPrefix($0)
                }
            })
        let begin = lines[marker...].index(after: try #require(lines[marker...].firstIndex { $0.trimmed == "```" }))
        let end = try #require(lines[begin...].firstIndex { $0.trimmed == "```" })
        let indent = String(lines[begin - 1].prefix { $0 == " " })
        var output = printed.components(separatedBy: "\n")
        while output.last == "" { output.removeLast() }
        lines.replaceSubrange(begin..<end, with: output.map { $0.isEmpty ? "" : indent + $0 })
        try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
    }

    func example(_ name: String) throws -> Example {
        try #require(examples.first { $0.name == name }, "\(path): \(name)")
    }
}

extension StringProtocol {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}

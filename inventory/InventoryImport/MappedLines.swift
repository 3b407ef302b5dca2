import FileReading
import SafeText

/// Where the lines of a written inventory come from.
struct MappedLines {
    /// A tree's line at and beyond this is the index of a host elsewhere; below it is a line of the mapping.
    static let firstHost = 1 << 32

    let source: String
    let mapping: String?
    let hosts: [ForeignHost]
    /// Our names of the written entries, in their order.
    let names: [String]
    /// For each written line, the line of its tree.
    let lines: [Int]
    /// The written lines.
    let text: [Substring]

    /// The problem as one of the file where its cause is. No message names a place of the written file, which nobody sees.
    func placed(_ problem: FileProblem) -> FileProblem {
        var placed = problem
        let line = lines.indices.contains(problem.line - 1) ? lines[problem.line - 1] : 0
        var name: String?
        var words = problem.message
        if let entry = entry(in: problem.message) { (name, words) = entry }
        if line >= MappedLines.firstHost, hosts.indices.contains(line - MappedLines.firstHost) {
            let host = hosts[line - MappedLines.firstHost]
            (placed.file, placed.line) = (source, host.line)
            name = name ?? host.name
            if let said = key(in: problem.line).flatMap({ host.sources[$0] }) { words += ", from \(said)" }
        } else if line > 0, let mapping {
            (placed.file, placed.line) = (mapping, line)
        } else {
            (placed.file, placed.line) = (source, 0)
        }
        if let name, !words.holds("host \(name)"), !words.holds("hosts ") { words = "host \(name): \(words)" }
        placed.message = words
        return placed
    }

    /// The name of the host that a message means by its number, and the message without the number.
    private func entry(in message: String) -> (name: String, words: String)? {
        guard let rest = message.rest(after: "the file.hosts["), let halves = rest.cut(at: "]"),
            let number = Int(halves.before), names.indices.contains(number - 1)
        else { return nil }
        let words = halves.after.rest(after: ".").map(String.init) ?? "the entry" + halves.after
        return (names[number - 1], words)
    }

    /// The key that is in a written line.
    private func key(in line: Int) -> String? {
        guard text.indices.contains(line - 1) else { return nil }
        return text[line - 1].trimmed.rest(after: "\"")?.cut(at: "\"").map { String($0.before) }
    }
}

/// Problems of hosts. What a group says of all its hosts is one problem.
enum HostProblems {
    /// How many hosts one problem names at most.
    private static let named = 4

    /// Problems in the order of their first host, each once, with the other hosts that have it. Those with a line of their own
    /// stay apart.
    static func collapsed(_ problems: [FileProblem], _ foreign: ForeignInventory) -> [FileProblem] {
        let names = Set(foreign.hosts.map(\.name))
        var order: [FileProblem] = []
        var hosts: [FileProblem: [String]] = [:]
        for problem in problems {
            var shape = problem
            let name = problem.line == 0 ? host(in: problem.message, among: names) : nil
            if let name {
                shape.message = problem.message.pieces(separatedBy: "host \(name)").joined(separator: "host \0")
            }
            if hosts[shape] == nil { order.append(shape) }
            hosts[shape, default: []] += name.map { [$0] } ?? []
        }
        return order.map { shape in
            guard let own = hosts[shape], let first = own.first else { return shape }
            var problem = shape
            let others = own.dropFirst().prefix(named - 1).joined(separator: ", ")
            let more = own.count > named ? " and \(own.count - named) more" : ""
            let all = others.isEmpty ? first : "\(first) (and \(others)\(more))"
            problem.message = shape.message.pieces(separatedBy: "host \0").joined(separator: "host \(all)")
            return problem
        }
    }

    /// The host that a message speaks of.
    private static func host(in message: String, among names: Set<String>) -> String? {
        let pieces = message.pieces(separatedBy: "host ").dropFirst()
        guard pieces.count == 1, let piece = pieces.first else { return nil }
        let word = String(piece.prefix(upToAnyOf: " ,;"))
        return [word, String(word.rest(before: ":") ?? word[...])].first(where: names.contains)
    }
}

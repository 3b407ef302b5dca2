import SafeText
package import UpgradeDomain
import Yams

/// Reads a YAML document into values, collecting every problem with its line instead of stopping at the first.
package final class FileReader {
    /// The maximum size of a file.
    package static let fileBytes = 8 << 20
    /// The maximum number of problems that are reported for one file.
    package static let problemCount = 100

    package let file: String
    package private(set) var problems: [FileProblem]
    /// How many more problems there are.
    package private(set) var unlisted: Int
    /// How many problems were found, including repeated ones.
    private var refusals = 0
    /// Where each text was read; nil if nobody asks.
    private var sites: [String: [TextSite]]?

    /// - Parameters:
    ///   - file: the file name in problem reports.
    ///   - problems: the problems of the file that are already known.
    ///   - unlisted: how many more problems are known.
    ///   - keepsSites: whether ``sites(of:)`` is asked for later.
    package init(file: String, problems: [FileProblem] = [], unlisted: Int = 0, keepsSites: Bool = false) {
        self.file = file
        self.problems = problems
        self.unlisted = unlisted
        sites = keepsSites ? [:] : nil
    }

    /// Where a text was read, in order.
    package func sites(of text: String) -> [TextSite] { sites?[text] ?? [] }

    fileprivate func note(_ text: String, _ name: String, _ line: Int) {
        guard sites != nil else { return }
        let site = TextSite(path: name.rest(after: "the file.").map { String($0) } ?? name, line: line)
        if sites?[text]?.contains(site) != true { sites?[text, default: []].append(site) }
    }

    /// The root mapping of a text, or nil with a problem recorded.
    package func root(of text: String) -> Field? {
        guard text.utf8.count <= FileReader.fileBytes else {
            report(1, "the file is larger than \(FileReader.fileBytes) bytes", "split the fleet")
            return nil
        }
        if let refused = YAMLSubset.refusal(of: text) {
            report(refused.line, refused.message, refused.remedy)
            return nil
        }
        do {
            guard let node = try Yams.compose(yaml: text) else {
                report(1, "the file is empty", "start from the commented example")
                return nil
            }
            let tags = YAMLTags.refusals(in: node)
            for refused in tags { report(refused.line, refused.message, refused.remedy) }
            return tags.isEmpty ? Field(name: "the file", key: "", node: node, line: node.mark?.line ?? 1) : nil
        } catch let error as YamlError {
            let (line, words) = FileReader.place(of: error)
            report(line, "this is not YAML: \(words)", "correct the syntax there")
        } catch {
            report(1, "this is not YAML: \(error)", "correct the syntax")
        }
        return nil
    }

    private static func place(of error: YamlError) -> (Int, String) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (
                context.mark.line,
                duplicates.count == 1
                    ? "the key \(duplicates[0]) is listed twice"
                    : "the keys \(duplicates.joined(separator: ", ")) are listed twice"
            )
        case .reader(let problem, _, _, _): (1, problem)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded: (1, "\(error)")
        }
    }

    /// Records a problem. The remedy is evaluated only for problems that are listed: a file may have a hundred thousand
    /// wrong keys.
    package func report(_ line: Int, _ message: String, _ remedy: @autoclosure () -> String) {
        refusals += 1
        // A problem in lines that several entries share is reported once.
        guard !problems.contains(where: { $0.line == line && $0.message == message }) else { return }
        if isFull {
            unlisted += 1
            return
        }
        problems.append(FileProblem(file: file, line: line, message: message, remedy: remedy()))
    }

    /// Whether further problems are counted but not listed.
    package var isFull: Bool { problems.count >= FileReader.problemCount }

    /// The result of `read`, and whether it found no problems. A refused entry counts as present, so that nothing is
    /// also reported as missing.
    package func whole<Value>(_ read: () -> Value) -> (value: Value, isWhole: Bool) {
        let before = refusals
        let value = read()
        return (value, refusals == before)
    }

    /// A text that is a valid name; nil, with a problem recorded, if it is not.
    package func name(_ text: String, _ line: Int, _ kind: String, _ grammar: NameGrammar) -> String? {
        if grammar.accepts(text) { return text }
        report(line, "'\(text)' is not a valid \(kind) name", grammar.words)
        return nil
    }

    /// Throws the collected problems, if any.
    package func finish() throws(FileProblems) {
        if !problems.isEmpty { throw FileProblems(problems, unlisted: unlisted) }
    }
}

extension FileReader {
    package func text(_ field: Field) -> String? {
        guard let scalar = field.node.scalar, !field.node.isNull else {
            report(field.line, "\(field.name) is not a text", "write a single value")
            return nil
        }
        if scalar.string.unicodeScalars.contains(where: {
            $0.value < 0x20 && $0 != "\n" && $0 != "\t" || $0.value == 0x7f
        }) {
            report(field.line, "\(field.name) contains a control character", "remove it")
            return nil
        }
        note(scalar.string, field.name, field.line)
        return scalar.string
    }

    package func integer(_ field: Field, in range: ClosedRange<Int>) -> Int? {
        guard let value = field.node.scalar.flatMap({ Int($0.string) }) else {
            report(
                field.line, "\(field.name) is not a whole number",
                "write a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        guard range.contains(value) else {
            report(
                field.line, "\(field.name) is \(value)",
                "write a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        note("\(value)", field.name, field.line)
        return value
    }

    package func list(_ field: Field) -> [Field] {
        guard case .sequence(let sequence) = field.node else {
            report(field.line, "\(field.name) is not a list", "write a list: [a, b] or one '- ' line each")
            return []
        }
        return sequence.enumerated().map { index, node in
            Field(name: "\(field.name)[\(index + 1)]", key: field.key, node: node, line: node.mark?.line ?? field.line)
        }
    }

    package func pairs(_ field: Field) -> [(key: String, value: Field)] {
        guard case .mapping(let mapping) = field.node else {
            report(field.line, "\(field.name) is not a mapping", "write 'key: value' lines")
            return []
        }
        return mapping.map { key, node in
            let text = key.scalar?.string ?? "?"
            note(text, field.name, key.mark?.line ?? field.line)
            return (
                text, Field(name: "\(field.name).\(text)", key: text, node: node, line: key.mark?.line ?? field.line)
            )
        }
    }
}

/// Where a text is written in a file.
package struct TextSite: Hashable, Sendable {
    /// The keys that lead there, such as `layers[1].rollback.run[2]`.
    package let path: String
    /// The line number, from 1.
    package let line: Int

    /// Whether a key leads there.
    package func isUnder(_ key: String) -> Bool {
        path.fields(separatedBy: ".[").contains { $0.isSpelled(key) }
    }

    /// The number of the layer of the plan, or of another list's entry, that it is in; nil for anywhere else.
    package func index(in list: String) -> Int? {
        guard let rest = path.rest(after: "\(list)["), let number = rest.cut(at: "]") else { return nil }
        return Int(number.before).map { $0 - 1 }
    }
}

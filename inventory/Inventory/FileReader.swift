import UpgradeDomain
import Yams

/// Reads a YAML document into values, collecting every problem with its line instead of stopping at the first.
final class FileReader {
    /// The maximum size of a file.
    static let fileBytes = 1_048_576
    /// The maximum number of problems that are reported for one file.
    static let problemCount = 100

    let file: String
    private(set) var problems: [FileProblem]
    /// How many more problems there are.
    private(set) var unlisted: Int
    /// How many problems were found, including repeated ones.
    private var refusals = 0

    /// - Parameters:
    ///   - problems: the problems of the file that are already known.
    ///   - unlisted: how many more problems are known.
    init(file: String, problems: [FileProblem] = [], unlisted: Int = 0) {
        self.file = file
        self.problems = problems
        self.unlisted = unlisted
    }

    /// The root mapping of a text, or nil with a problem recorded.
    func root(of text: String) -> Field? {
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
            return Field(name: "the file", node: node, line: node.mark?.line ?? 1)
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
            (context.mark.line, "the keys \(duplicates.joined(separator: ", ")) are listed twice")
        case .no, .memory, .reader, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            (1, "\(error)")
        }
    }

    /// - Parameter remedy: evaluated only for problems that are reported: a file may have a hundred thousand wrong
    ///   keys.
    func report(_ line: Int, _ message: String, _ remedy: @autoclosure () -> String) {
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
    var isFull: Bool { problems.count >= FileReader.problemCount }

    /// The result of `read`, and whether it found no problems. A refused entry counts as present, so that nothing is
    /// also reported as missing.
    func whole<Value>(_ read: () -> Value) -> (value: Value, isWhole: Bool) {
        let before = refusals
        let value = read()
        return (value, refusals == before)
    }

    /// A text with each `${name}` replaced; nil, with a problem recorded, if one has no value.
    func filled(_ text: String, _ line: Int, of host: HostName, _ values: PlaceholderValues) -> String? {
        guard let unknown = values.unknownNames(in: text).first else { return values.expand(text) }
        report(
            line, "'${\(unknown)}' has no value on host \(host)",
            "write '$${\(unknown)}' for a literal one, or use host, address, layer in a baseURL, or var.NAME with a variable of the host"
        )
        return nil
    }

    /// A text that is the URL of a service; nil, with a problem recorded, if it is not.
    func baseURL(_ text: String, _ line: Int) -> String? {
        let schemes = ["http://", "https://"].filter { text.utf8.starts(with: $0.utf8) }
        let rest = text.utf8.dropFirst(schemes.first?.utf8.count ?? text.utf8.count)
        guard !rest.isEmpty, rest.last != 0x2f, rest.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            report(
                line, "baseURL '\(text)' is not valid",
                "write scheme, host and port without a final slash, such as http://127.0.0.1:8080")
            return nil
        }
        return text
    }

    /// A text that is a valid name; nil, with a problem recorded, if it is not.
    func name(_ text: String, _ line: Int, _ kind: String, _ grammar: NameGrammar) -> String? {
        if grammar.accepts(text) { return text }
        report(line, "'\(text)' is not a valid \(kind) name", grammar.words)
        return nil
    }

    /// Throws the collected problems, if any.
    func finish() throws(FileProblems) {
        if !problems.isEmpty { throw FileProblems(problems, unlisted: unlisted) }
    }
}

/// A value of the file, with the name and the line under which it is reported.
struct Field {
    let name: String
    let node: Node
    let line: Int

    var isList: Bool {
        if case .sequence = node { true } else { false }
    }

    var isMapping: Bool {
        if case .mapping = node { true } else { false }
    }
}

/// The keys of one mapping; unknown keys are reported when it is created.
struct Section {
    let reader: FileReader
    let name: String
    let line: Int
    private var fields: [String: Field] = [:]
    /// Known keys of which an unknown key may be a misspelling.
    private var meant: Set<String> = []
    /// Whether every key in the file is known.
    private(set) var hasKnownKeys = true
    private let known: [String]

    /// The `name` key of the mapping, if it follows a grammar.
    func requiredName(_ kind: String, _ grammar: NameGrammar) -> String? {
        requiredText("name", "give the \(kind) a name").flatMap { reader.name($0, line(of: "name"), kind, grammar) }
    }

    /// - Parameter known: every key this mapping may have; any other is refused.
    init?(_ field: Field, known: [String], _ reader: FileReader) {
        guard case .mapping(let mapping) = field.node else {
            reader.report(
                field.line, "\(field.name) is not a mapping", "write keys and values: \(known.joined(separator: ", "))")
            return nil
        }
        self.reader = reader
        self.known = known
        name = field.name
        line = field.line
        for (key, value) in mapping {
            let text = key.scalar?.string ?? "?"
            let keyLine = key.mark?.line ?? field.line
            guard known.contains(text) else {
                let near = reader.isFull ? nil : Section.nearest(to: text, among: known)
                if let near { meant.insert(near) }
                hasKnownKeys = false
                let all = "use one of: \(known.joined(separator: ", "))"
                reader.report(
                    keyLine, "\(field.name) has no key '\(text)'", near.map { "did you mean '\($0)'? \(all)" } ?? all)
                continue
            }
            fields[text] = Field(name: "\(field.name).\(text)", node: value, line: keyLine)
        }
    }

    /// The key that was probably meant; nil if none is similar.
    private static func nearest(to text: String, among known: [String]) -> String? {
        guard text.utf8.count <= 100, let near = known.min(by: { distance($0, text) < distance($1, text) }) else {
            return nil
        }
        return distance(near, text) <= max(2, text.count / 3) ? near : nil
    }

    private static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.lowercased()), Array(right.lowercased()))
        var row = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var previous = row[0]
            row[0] = i + 1
            for (j, other) in right.enumerated() {
                let next = min(row[j] + 1, row[j + 1] + 1, previous + (character == other ? 0 : 1))
                previous = row[j + 1]
                row[j + 1] = next
            }
        }
        return row[right.count]
    }

    func field(_ key: String) -> Field? { fields[key].flatMap { $0.node.isNull ? nil : $0 } }

    /// Whether an unknown key was refused that may be a misspelling of this one.
    func isMisspelled(_ key: String) -> Bool { field(key) == nil && meant.contains(key) }

    /// Reports that the value of a key is missing, unless it was written and refused, or misspelled.
    ///
    /// - Parameter isWhole: whether everything under the key was valid.
    func reportMissing(_ key: String, _ message: String, _ remedy: String, ifWhole isWhole: Bool) {
        if isWhole, !isMisspelled(key) { reader.report(line(of: key), message, remedy) }
    }

    /// The line of a key, or of the mapping if the key is absent.
    func line(of key: String) -> Int { fields[key]?.line ?? line }

    func required(_ key: String, _ remedy: String) -> Field? {
        if let field = field(key) { return field }
        if !isMisspelled(key) { reader.report(line(of: key), "\(name) is missing the key '\(key)'", remedy) }
        return nil
    }

    // MARK: Scalars

    func text(_ key: String) -> String? { field(key).flatMap(reader.text) }

    func requiredText(_ key: String, _ remedy: String) -> String? { required(key, remedy).flatMap(reader.text) }

    func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        field(key).flatMap { reader.integer($0, in: range) }
    }

    func requiredInteger(_ key: String, in range: ClosedRange<Int>, _ remedy: String) -> Int? {
        required(key, remedy).flatMap { reader.integer($0, in: range) }
    }

    func number(_ key: String) -> Double? {
        field(key).flatMap { field in
            guard let value = field.node.scalar.flatMap({ Double($0.string) }), value.isFinite else {
                reader.report(field.line, "\(field.name) is not a number", "write a number such as 250 or 0.5")
                return nil
            }
            return value
        }
    }

    func flag(_ key: String) -> Bool? {
        field(key).flatMap { field in
            guard let value = field.node.scalar.flatMap(Bool.construct(from:)) else {
                reader.report(field.line, "\(field.name) is not true or false", "write true or false")
                return nil
            }
            return value
        }
    }

    // MARK: Collections

    /// The elements of a list; empty if the key is absent.
    func list(_ key: String) -> [Field] { field(key).map(reader.list) ?? [] }

    func texts(_ key: String) -> [String]? { field(key).map { reader.list($0).compactMap(reader.text) } }

    func textMap(_ key: String) -> [String: String]? {
        field(key).map { field in
            Dictionary(reader.pairs(field).compactMap { pair in reader.text(pair.value).map { (pair.key, $0) } }) { $1 }
        }
    }
}

extension FileReader {
    func text(_ field: Field) -> String? {
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
        return scalar.string
    }

    func integer(_ field: Field, in range: ClosedRange<Int>) -> Int? {
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
        return value
    }

    func list(_ field: Field) -> [Field] {
        guard case .sequence(let sequence) = field.node else {
            report(field.line, "\(field.name) is not a list", "write a list: [a, b] or one '- ' line each")
            return []
        }
        return sequence.enumerated().map { index, node in
            Field(name: "\(field.name)[\(index + 1)]", node: node, line: node.mark?.line ?? field.line)
        }
    }

    func pairs(_ field: Field) -> [(key: String, value: Field)] {
        guard case .mapping(let mapping) = field.node else {
            report(field.line, "\(field.name) is not a mapping", "write 'key: value' lines")
            return []
        }
        return mapping.map { key, node in
            let text = key.scalar?.string ?? "?"
            return (text, Field(name: "\(field.name).\(text)", node: node, line: key.mark?.line ?? field.line))
        }
    }
}

extension Node {
    var isNull: Bool { scalar.map { $0.style == .plain && ["", "~", "null"].contains($0.string) } ?? false }
}

extension Field {
    /// The mapping, completed with the keys of another one that it does not have.
    ///
    /// - Parameter replaced: for a key of its own the keys that are not taken beside it, as they belong to another value of it.
    func completed(from other: Field, without replaced: [String: [String]]) -> Field {
        guard case .mapping(var mapping) = node, case .mapping(let more) = other.node else { return self }
        let left = replaced.filter { mapping[Node($0.key)] != nil }.flatMap(\.value)
        for (name, value) in more where mapping[name] == nil && !left.contains(name.scalar?.string ?? "") {
            mapping[name] = value
        }
        return Field(name: name, node: .mapping(mapping), line: line)
    }

    func has(_ key: String) -> Bool {
        if case .mapping(let mapping) = node { mapping[Node(key)] != nil } else { false }
    }

    /// What an entry of a list is called; nil where it has no name.
    var entryName: String? {
        guard case .mapping(let mapping) = node else { return nil }
        return mapping[Node("name")]?.scalar?.string
    }

    /// The same mapping with only some of its keys.
    func keeping(_ keys: [String]) -> Field {
        guard case .mapping(var mapping) = node else { return self }
        for key in mapping.keys where !keys.contains(key.scalar?.string ?? "") { mapping[key] = nil }
        return Field(name: name, node: .mapping(mapping), line: line)
    }
}

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

/// A value of the file, with the name and the line under which it is reported.
package struct Field {
    package let name: String
    /// The key under which it is, or under which its list is.
    package let key: String
    let node: Node
    package let line: Int

    package var isList: Bool {
        if case .sequence = node { true } else { false }
    }

    /// Whether nothing is written behind its key.
    package var isEmpty: Bool { node.isNull }

    package var isMapping: Bool {
        if case .mapping = node { true } else { false }
    }
}

extension Node {
    var isNull: Bool { scalar.map { $0.style == .plain && ["", "~", "null"].contains($0.string) } ?? false }
}

extension Field {
    /// The mapping, completed with the keys of another one that it does not have. `replaced` lists, for a key of its own,
    /// the keys that are not taken beside it, as they belong to another value of it.
    package func completed(from other: Field, without replaced: [String: [String]]) -> Field {
        guard case .mapping(var mapping) = node, case .mapping(let more) = other.node else { return self }
        let left = replaced.filter { mapping[Node($0.key)] != nil }.flatMap(\.value)
        for (name, value) in more where mapping[name] == nil && !left.contains(name.scalar?.string ?? "") {
            mapping[name] = value
        }
        return Field(name: name, key: key, node: .mapping(mapping), line: line)
    }

    package func has(_ key: String) -> Bool {
        if case .mapping(let mapping) = node { mapping[Node(key)] != nil } else { false }
    }

    /// The list, each entry completed from the one of that name in another list. `replaced` says what is not taken from there.
    package func withEntriesCompleted(
        from other: Field, without replaced: (_ same: Field, _ entry: Field) -> [String: [String]]
    ) -> Field {
        guard case .sequence(var entries) = node, case .sequence(let more) = other.node else { return self }
        let shared = more.map { Field(name: other.name, key: key, node: $0, line: other.line) }
        for index in entries.indices {
            let entry = Field(name: name, key: key, node: entries[index], line: line)
            guard let name = entry.entryName, let same = shared.first(where: { $0.entryName == name }) else { continue }
            entries[index] = entry.completed(from: same, without: replaced(same, entry)).node
        }
        return Field(name: name, key: key, node: .sequence(entries), line: line)
    }

    /// What an entry of a list is called; nil where it has no name.
    private var entryName: String? {
        guard case .mapping(let mapping) = node else { return nil }
        return mapping[Node("name")]?.scalar?.string
    }
}

/// A mapping of the file, of which only the declared keys can be read; others are reported when it is created.
package struct Section<Keys: KeyGroup> {
    package let keys: Keys
    package let reader: FileReader
    package let name: String
    package let line: Int
    private var fields: [String: Field] = [:]
    /// Known keys of which an unknown key may be a misspelling.
    private var meant: Set<String> = []
    /// Whether every key in the file is known.
    package private(set) var hasKnownKeys = true

    /// Nil, with a problem recorded, if the field is no mapping.
    package init?(_ field: Field, _ declared: Mapping<Keys>, _ reader: FileReader) {
        let known = declared.names
        guard case .mapping(let mapping) = field.node else {
            reader.report(
                field.line, "\(field.name) is not a mapping", "write keys and values: \(known.joined(separator: ", "))")
            return nil
        }
        self.reader = reader
        keys = declared.keys
        name = field.name
        line = field.line
        for (key, value) in mapping {
            let text = key.scalar?.string ?? "?"
            let keyLine = key.mark?.line ?? field.line
            guard known.contains(text) else {
                let near = reader.isFull ? nil : nearest(to: text, among: known)
                if let near { meant.insert(near) }
                hasKnownKeys = false
                let all = "use one of: \(known.joined(separator: ", "))"
                reader.report(
                    keyLine, "\(field.name) has no key '\(text)'", near.map { "did you mean '\($0)'? \(all)" } ?? all)
                continue
            }
            fields[text] = Field(name: "\(field.name).\(text)", key: text, node: value, line: keyLine)
        }
    }

    /// The keys of a group that the mapping has among others.
    package func part<Part: KeyGroup>(_ path: KeyPath<Keys, Part>) -> Section<Part> {
        Section<Part>(keys[keyPath: path], of: self)
    }

    private init<Whole>(_ keys: Keys, of whole: Section<Whole>) {
        self.keys = keys
        (reader, name, line) = (whole.reader, whole.name, whole.line)
        (fields, meant, hasKnownKeys) = (whole.fields, whole.meant, whole.hasKnownKeys)
    }

    // MARK: Values

    /// The value of a key. A refused value is reported and counts as absent; so does a missing one that is required.
    package func value<Value>(_ path: KeyPath<Keys, Key<Value>>) -> Value {
        let key = keys[keyPath: path]
        if let field = field(path) { return key.read(reader, field) }
        if key.isReportedMissing { _ = required(path) }
        return key.absent()
    }

    /// The value that a field has under a key: that of this mapping, completed from elsewhere.
    package func value<Value>(_ path: KeyPath<Keys, Key<Value>>, of field: Field) -> Value {
        keys[keyPath: path].read(reader, field)
    }

    /// The value of a key that must be here, as it is nowhere else.
    package func requiredValue<Written>(_ path: KeyPath<Keys, Key<Written?>>) -> Written? {
        required(path) == nil ? nil : value(path)
    }

    /// The value of a key as it is written; nil, with a problem recorded, if it is missing.
    package func required<Value>(_ path: KeyPath<Keys, Key<Value>>) -> Field? {
        if let field = field(path) { return field }
        let key = keys[keyPath: path]
        if !isMisspelled(path) {
            reader.report(line(of: path), "\(name) is missing the key '\(key.name)'", key.presence.remedy)
        }
        return nil
    }

    /// Reports that a key has no value, unless it was written and refused, or misspelled. `isWhole` says whether everything
    /// under the key was valid.
    package func reportMissing<Value>(_ path: KeyPath<Keys, Key<Value>>, _ message: String, ifWhole isWhole: Bool) {
        if isWhole, !isMisspelled(path) {
            reader.report(line(of: path), message, keys[keyPath: path].presence.remedy)
        }
    }

    // MARK: Fields

    /// The value of a key as it is written; nil if it is absent or empty.
    package func field<Value>(_ path: KeyPath<Keys, Key<Value>>) -> Field? {
        fields[keys[keyPath: path].name].flatMap { $0.node.isNull ? nil : $0 }
    }

    /// The line of a key, or of the mapping if the key is absent.
    package func line<Value>(of path: KeyPath<Keys, Key<Value>>) -> Int { line(ofKey: keys[keyPath: path].name) }

    /// The line of a key by its name, or of the mapping if the key is absent.
    package func line(ofKey name: String) -> Int { fields[name]?.line ?? line }

    /// Whether a key has a value, by its name.
    package func has(_ name: String) -> Bool { fields[name].map { !$0.node.isNull } ?? false }

    /// Whether an unknown key was refused that may be a misspelling of this one.
    package func isMisspelled<Value>(_ path: KeyPath<Keys, Key<Value>>) -> Bool {
        field(path) == nil && meant.contains(keys[keyPath: path].name)
    }
}

extension Presence {
    /// What to write where the key is missing.
    fileprivate var remedy: String {
        switch self {
        case .optional: "write it"
        case .required(let remedy), .inherited(let remedy): remedy
        }
    }
}

/// The key that was probably meant; nil if none is similar.
package func nearest(to text: String, among known: [String]) -> String? {
    guard text.utf8.count <= 100, let near = known.min(by: { distance($0, text) < distance($1, text) }) else {
        return nil
    }
    return distance(near, text) <= max(2, text.count / 3) ? near : nil
}

private func distance(_ left: String, _ right: String) -> Int {
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

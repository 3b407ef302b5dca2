package import UpgradeDomain
import Yams

/// The keys of one mapping; unknown keys are reported when it is created.
package struct Section {
    package let reader: FileReader
    package let name: String
    package let line: Int
    private var fields: [String: Field] = [:]
    /// Known keys of which an unknown key may be a misspelling.
    private var meant: Set<String> = []
    /// Whether every key in the file is known.
    package private(set) var hasKnownKeys = true
    private let known: [String]

    /// The `name` key of the mapping, if it follows a grammar.
    package func requiredName(_ kind: String, _ grammar: NameGrammar) -> String? {
        requiredText("name", "give the \(kind) a name").flatMap { reader.name($0, line(of: "name"), kind, grammar) }
    }

    /// Nil, with a problem recorded, if the field is no mapping. `known` is every key that it may have; any other is
    /// refused.
    package init?(_ field: Field, known: [String], _ reader: FileReader) {
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

    package func field(_ key: String) -> Field? { fields[key].flatMap { $0.node.isNull ? nil : $0 } }

    /// Whether an unknown key was refused that may be a misspelling of this one.
    package func isMisspelled(_ key: String) -> Bool { field(key) == nil && meant.contains(key) }

    /// Reports that the value of a key is missing, unless it was written and refused, or misspelled. `isWhole` says whether
    /// everything under the key was valid.
    package func reportMissing(_ key: String, _ message: String, _ remedy: String, ifWhole isWhole: Bool) {
        if isWhole, !isMisspelled(key) { reader.report(line(of: key), message, remedy) }
    }

    /// The line of a key, or of the mapping if the key is absent.
    package func line(of key: String) -> Int { fields[key]?.line ?? line }

    package func required(_ key: String, _ remedy: String) -> Field? {
        if let field = field(key) { return field }
        if !isMisspelled(key) { reader.report(line(of: key), "\(name) is missing the key '\(key)'", remedy) }
        return nil
    }

    // MARK: Scalars

    package func text(_ key: String) -> String? { field(key).flatMap(reader.text) }

    package func requiredText(_ key: String, _ remedy: String) -> String? { required(key, remedy).flatMap(reader.text) }

    package func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        field(key).flatMap { reader.integer($0, in: range) }
    }

    package func requiredInteger(_ key: String, in range: ClosedRange<Int>, _ remedy: String) -> Int? {
        required(key, remedy).flatMap { reader.integer($0, in: range) }
    }

    package func number(_ key: String) -> Double? {
        field(key).flatMap { field in
            guard let value = field.node.scalar.flatMap({ Double($0.string) }), value.isFinite else {
                reader.report(field.line, "\(field.name) is not a number", "write a number such as 250 or 0.5")
                return nil
            }
            return value
        }
    }

    package func flag(_ key: String) -> Bool? {
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
    package func list(_ key: String) -> [Field] { field(key).map(reader.list) ?? [] }

    package func texts(_ key: String) -> [String]? { field(key).map { reader.list($0).compactMap(reader.text) } }

    package func textMap(_ key: String) -> [String: String]? {
        field(key).map { field in
            Dictionary(reader.pairs(field).compactMap { pair in reader.text(pair.value).map { (pair.key, $0) } }) { $1 }
        }
    }
}

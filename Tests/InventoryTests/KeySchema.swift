import FileReading
import UpgradeDomain

/// JSON Schema of a file, from the declarations of its keys.
struct KeySchema {
    let tree: KeyTree

    /// JSON, with the keys in the order of the declarations.
    var text: String {
        let root = tree.places[0]
        let head: [(String, Node)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            ("title", .text("Lockflight \(tree.name)")),
        ]
        let definitions = tree.places.dropFirst().map { ($0.title, Node.object(object($0.table))) }
        return Node.object(head + object(root.table) + [("$defs", .object(definitions))]).text(indent: 0) + "\n"
    }

    indirect enum Node {
        case object([(String, Node)])
        case array([Node])
        case text(String)
        /// As JSON.
        case raw(String)

        func text(indent: Int) -> String {
            let inner = String(repeating: "  ", count: indent + 1)
            let outer = String(repeating: "  ", count: indent)
            switch self {
            case .raw(let json): return json
            case .text(let text):
                return "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
            case .array(let elements):
                let lines = elements.map { inner + $0.text(indent: indent + 1) }
                return lines.isEmpty ? "[]" : "[\n\(lines.joined(separator: ",\n"))\n\(outer)]"
            case .object(let members):
                let lines = members.map {
                    "\(inner)\(Node.text($0.0).text(indent: 0)): \($0.1.text(indent: indent + 1))"
                }
                return lines.isEmpty ? "{}" : "{\n\(lines.joined(separator: ",\n"))\n\(outer)}"
            }
        }
    }

    private func object(_ table: any KeyTable) -> [(String, Node)] {
        let keys = table.declarations
        var members: [(String, Node)] = [
            ("description", .text(type(of: table).meaning)), ("type", .text("object")),
            ("additionalProperties", .raw("false")),
            ("properties", .object(keys.map { ($0.name, .object(property($0))) })),
        ]
        let required = keys.filter { if case .required = $0.presence { true } else { false } }
        if !required.isEmpty { members.append(("required", .array(required.map { .text($0.name) }))) }
        if !table.alternatives.isEmpty { members.append(("oneOf", rules(table.alternatives))) }
        if !table.choices.isEmpty { members.append(("anyOf", rules(table.choices))) }
        return members
    }

    private func rules(_ names: [String]) -> Node {
        .array(names.map { .object([("required", .array([.text($0)]))]) })
    }

    private func property(_ key: any KeyDeclaration) -> [(String, Node)] {
        let description: [(String, Node)]
        switch key.otherwise {
        case .nothing: description = [("description", .text(key.meaning))]
        case .value(let json): description = [("description", .text(key.meaning)), ("default", .raw(json))]
        case .words(let words): description = [("description", .text("\(key.meaning) Otherwise: \(words)."))]
        }
        return description + node(key.type)
    }

    private func node(_ type: ValueType) -> [(String, Node)] {
        switch type {
        case .text(let rule): text(rule)
        case .word(let words): [("enum", .array(words.map { .text($0) }))]
        case .integer(let range) where range.count == 1: [("const", .raw("\(range.lowerBound)"))]
        case .integer(let range):
            [("type", .text("integer"))] + bounds(range, least: "minimum", most: "maximum")
        case .number(let least):
            [("type", .text("number"))] + (least.map { [("minimum", .raw("\(Int($0))"))] } ?? [])
        case .flag: [("type", .text("boolean"))]
        case .list(let element, let count):
            [("type", .text("array"))] + (count.map { bounds($0, least: "minItems", most: "maxItems") } ?? [])
                + [("items", .object(node(element)))]
        case .map(let names, let element):
            [("type", .text("object"))]
                + (pattern(names).map { [("propertyNames", .object([("pattern", .text($0))]))] } ?? [])
                + [("additionalProperties", .object(node(element)))]
        case .mapping(let table): [("$ref", .text("#/$defs/\(Swift.type(of: table).title)"))]
        case .either(let types): [("anyOf", .array(types.map { .object(node($0)) }))]
        }
    }

    private func text(_ rule: TextRule) -> [(String, Node)] {
        let types: Node =
            switch rule.unquoted {
            case .none: .text("string")
            case .numbers: .array([.text("string"), .text("number")])
            case .all: .array([.text("string"), .text("number"), .text("boolean")])
            }
        let patterns = pattern(rule).map { [("pattern", Node.text($0))] } ?? []
        let bytes = rule.bytes ?? (patterns.isEmpty ? 1...Int.max : 0...Int.max)
        return [("type", types)] + patterns + bounds(bytes, least: "minLength", most: "maxLength")
    }

    private func bounds(_ range: ClosedRange<Int>, least: String, most: String) -> [(String, Node)] {
        let isLength = least != "minimum"
        return (isLength && range.lowerBound == 0 ? [] : [(least, .raw("\(range.lowerBound)"))])
            + (range.upperBound == Int.max ? [] : [(most, .raw("\(range.upperBound)"))])
    }

    private func pattern(_ rule: TextRule) -> String? { rule.pattern ?? rule.grammar.map(KeySchema.pattern) }

    /// The regular expression of a grammar, found out by asking it.
    static func pattern(_ grammar: NameGrammar) -> String {
        let ascii = (0x21...0x7e as ClosedRange<UInt8>).map { String(UnicodeScalar($0)) }
        let start = ascii.filter(grammar.accepts)
        let more = ascii.filter { grammar.accepts(start[0] + $0) }
        var longest = 1
        while grammar.accepts(String(repeating: start[0], count: longest + 1)) { longest += 1 }
        return "^[\(characters(start))][\(characters(more))]{0,\(longest - 1)}$"
    }

    /// A set for a regular expression: ranges of letters and digits, then the rest with '-' at the end.
    private static func characters(_ all: [String]) -> String {
        let ranges = [("A", "Z"), ("a", "z"), ("0", "9")].filter { all.contains($0.0) && all.contains($0.1) }
        let others = all.filter { one in !ranges.contains { $0.0 <= one && one <= $0.1 } }
        let hyphen = others.contains("-") ? "-" : ""
        return ranges.map { "\($0.0)-\($0.1)" }.joined() + others.filter { $0 != "-" }.joined() + hyphen
    }
}

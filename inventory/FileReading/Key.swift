import SafeText
package import UpgradeDomain
import Yams

/// A key of a mapping, declared once: its name, how its value is written, what it has where it is not written, what it means,
/// and an example.
///
/// To add a key, write one `let` in the struct that lists the keys of its mapping, such as `TCPKeys`. From that line the reader
/// accepts the key, `section.value(\.port)` reads it, and `docs/reference.md` and the JSON Schema describe it. `ReferenceTests`
/// compares both with the declarations, and reads each example.
package struct Key<Value>: KeyDeclaration {
    package let name: String
    package let type: ValueType
    package let presence: Presence
    package let otherwise: Otherwise
    package let meaning: String
    package let example: String
    package let company: String?
    /// The value that is written, or what the key has instead of a refused one.
    let read: @Sendable (FileReader, Field) -> Value
    /// What the key has where it is not written.
    let absent: @Sendable () -> Value
    /// Whether ``Section/value(_:)`` reports that the key is missing.
    let isReportedMissing: Bool

    /// A key without a default: what is read is optional.
    ///
    /// - Parameters:
    ///   - name: as the file has it.
    ///   - form: how its value is written.
    ///   - presence: whether it must be written.
    ///   - meaning: one or two sentences.
    ///   - otherwise: what holds where it is not written, in words.
    ///   - example: a value in YAML.
    ///   - company: the keys of the same mapping that the example needs, such as `shape: measures`.
    package init<Written>(
        _ name: String, _ form: Form<Written>, presence: Presence = .optional, _ meaning: String,
        otherwise: String? = nil, example: String, with company: String? = nil
    ) where Value == Written? {
        (self.name, self.presence, self.meaning, self.example) = (name, presence, meaning, example)
        (type, self.company) = (form.type, company)
        self.otherwise = otherwise.map(Otherwise.words) ?? .nothing
        read = { form.read($0, $1) }
        absent = { nil }
        if case .required = presence { isReportedMissing = true } else { isReportedMissing = false }
    }

    /// A key with a default, or a list or mapping that is empty where it is not written. If it is required, the reader of the
    /// whole mapping reports that it is missing.
    ///
    /// - Parameters:
    ///   - name: as the file has it.
    ///   - form: how its value is written.
    ///   - presence: whether it must be written.
    ///   - value: the default.
    ///   - meaning: one or two sentences.
    ///   - example: a value in YAML.
    ///   - company: the keys of the same mapping that the example needs, such as `shape: measures`.
    package init(
        _ name: String, _ form: Form<Value>, presence: Presence = .optional,
        default value: @autoclosure @escaping @Sendable () -> Value, _ meaning: String, example: String,
        with company: String? = nil
    ) {
        (self.name, self.presence, self.meaning, self.example) = (name, presence, meaning, example)
        (type, self.company) = (form.type, company)
        otherwise = form.shown(value()).map(Otherwise.value) ?? .nothing
        read = { form.read($0, $1) ?? value() }
        absent = value
        isReportedMissing = false
    }
}

/// Whether a key must be written.
package enum Presence: Sendable {
    case optional
    /// With the remedy where it is missing.
    case required(String)
    /// Here or in the defaults that the mapping is completed from, with the remedy where it is in neither.
    case inherited(String)

    package static func required<Word: RawRepresentable & CaseIterable>(oneOf words: Word.Type) -> Presence
    where Word.RawValue == String { .required(remedy(words)) }

    package static func inherited<Word: RawRepresentable & CaseIterable>(oneOf words: Word.Type) -> Presence
    where Word.RawValue == String { .inherited(remedy(words)) }

    private static func remedy<Word: RawRepresentable & CaseIterable>(_ words: Word.Type) -> String
    where Word.RawValue == String {
        "write one of: \(words.allCases.map(\.rawValue).joined(separator: ", "))"
    }
}

/// What holds where a key is not written.
package enum Otherwise: Sendable {
    case nothing
    /// The default, as JSON.
    case value(String)
    case words(String)
}

/// What the reference and the schema say about a key.
package protocol KeyDeclaration: Sendable {
    var name: String { get }
    var type: ValueType { get }
    var presence: Presence { get }
    var otherwise: Otherwise { get }
    var meaning: String { get }
    /// A value in YAML.
    var example: String { get }
    /// The keys of the same mapping that the example needs.
    var company: String? { get }
}

/// Keys that are declared together: all of one mapping, or some that several mappings have.
package protocol KeyGroup: Sendable {}

extension KeyGroup {
    /// Every key, in the order of the declarations. A group within a group counts as its keys.
    package var declarations: [any KeyDeclaration] {
        Mirror(reflecting: self).children.flatMap { child -> [any KeyDeclaration] in
            if let key = child.value as? any KeyDeclaration { return [key] }
            return (child.value as? any KeyGroup)?.declarations ?? []
        }
    }

    /// The names of the keys.
    package var names: [String] { declarations.map(\.name) }
}

/// The keys of a mapping.
package protocol KeyTable: KeyGroup {
    /// What the mapping is called in the reference and the schema.
    static var title: String { get }
    /// What the mapping is for, in one or two sentences.
    static var meaning: String { get }
    /// The keys of which exactly one must be written; empty if there is no such rule.
    var alternatives: [String] { get }
    /// The keys of which at least one must be written; empty if there is no such rule.
    var choices: [String] { get }
}

extension KeyTable {
    package var alternatives: [String] { [] }
    package var choices: [String] { [] }
}

/// The keys of a mapping with their names, which are listed once and not for each mapping that is read.
package struct Mapping<Keys: KeyGroup>: Sendable {
    let keys: Keys
    let names: [String]

    package init(_ keys: Keys) {
        self.keys = keys
        names = keys.names
    }
}

/// How a value is written: how it is read and refused, and how the reference and the schema describe it.
package struct Form<Value>: Sendable {
    package let type: ValueType
    /// The value, or nil with a problem recorded.
    package let read: @Sendable (FileReader, Field) -> Value?
    /// A value as JSON, for the reference; nil if that says nothing.
    package let shown: @Sendable (Value) -> String?

    package init(
        _ type: ValueType, shown: @escaping @Sendable (Value) -> String? = { _ in nil },
        read: @escaping @Sendable (FileReader, Field) -> Value?
    ) {
        self.type = type
        self.shown = shown
        self.read = read
    }
}

/// The type of a value, as the reference and the schema describe it.
package indirect enum ValueType: Sendable {
    case text(TextRule)
    case word([String])
    case integer(ClosedRange<Int>)
    /// A number, and the least that it may be.
    case number(atLeast: Double?)
    case flag
    /// A list, and how many elements it may have; nil for any number.
    case list(ValueType, count: ClosedRange<Int>?)
    /// A mapping whose keys are names of the operator's own.
    case map(TextRule, ValueType)
    case mapping(any KeyTable)
    case either([ValueType])
}

/// Which texts a value may be.
package struct TextRule: Sendable {
    /// Scalars of YAML that are read as their text, so that they need no quotes.
    package enum Unquoted: Sendable { case none, numbers, all }

    /// What the reference calls such a text.
    package let words: String
    /// A regular expression; nil for any text.
    package let pattern: String?
    package let grammar: NameGrammar?
    package let bytes: ClosedRange<Int>?
    package let unquoted: Unquoted

    package init(
        _ words: String = "text", pattern: String? = nil, grammar: NameGrammar? = nil, bytes: ClosedRange<Int>? = nil,
        unquoted: Unquoted = .none
    ) {
        self.words = words
        self.pattern = pattern
        self.grammar = grammar
        self.bytes = bytes
        self.unquoted = unquoted
    }

    fileprivate var mayBeBlank: Bool { bytes != nil || pattern != nil || grammar != nil }
}

// MARK: Scalars

extension Form where Value == String {
    package static var text: Form { text(TextRule()) }

    /// A text; the rule is for the reference and the schema, and `check` for the reader. A rule that says nothing else refuses a
    /// text without a word.
    package static func text(
        _ rule: TextRule, check: @escaping @Sendable (FileReader, Field, String) -> String? = { $2 }
    ) -> Form {
        Form(.text(rule), shown: quoted) { reader, field in
            guard let text = reader.text(field) else { return nil }
            if !rule.mayBeBlank, text.fields(separatedBy: " \t\n").isEmpty {
                reader.report(field.line, "\(field.name) is empty", "write it, or leave it out")
                return nil
            }
            return check(reader, field, text)
        }
    }

    /// A text of a certain length.
    package static func text(bytes: ClosedRange<Int>) -> Form {
        text(TextRule(bytes: bytes)) { reader, field, text in
            if !bytes.contains(text.utf8.count) {
                reader.report(
                    field.line, "the \(field.key) has \(counted(text.utf8.count, "byte"))",
                    "write \(bytes.lowerBound) to \(bytes.upperBound) bytes, or leave it out")
            }
            return text
        }
    }

    /// A name, refused as the name of `kind`.
    package static func name(_ kind: String, _ grammar: NameGrammar) -> Form {
        text(TextRule("\(kind) name", grammar: grammar)) { reader, field, text in
            reader.name(text, field.line, kind, grammar)
        }
    }
}

extension Form where Value == Int {
    package static func integer(_ range: ClosedRange<Int>) -> Form {
        Form(.integer(range), shown: plain) { $0.integer($1, in: range) }
    }
}

extension Form where Value == Double {
    package static var number: Form { number(atLeast: nil) }

    /// - Parameter least: for the reference and the schema; the reader of the mapping checks it.
    package static func number(atLeast least: Double?) -> Form {
        Form(.number(atLeast: least), shown: plain) { reader, field in
            guard let value = field.node.scalar.flatMap({ Double($0.string) }), value.isFinite else {
                reader.report(field.line, "\(field.name) is not a number", "write a number such as 250 or 0.5")
                return nil
            }
            return value
        }
    }
}

extension Form where Value == Bool {
    package static var flag: Form {
        Form(.flag, shown: plain) { reader, field in
            guard let value = field.node.scalar.flatMap(Bool.construct(from:)) else {
                reader.report(field.line, "\(field.name) is not true or false", "write true or false")
                return nil
            }
            return value
        }
    }
}

extension Form where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    /// One of an enumeration's words.
    ///
    /// - Parameters:
    ///   - type: the enumeration.
    ///   - kind: what a word is, for its refusal.
    package static func word(_ type: Value.Type, called kind: String? = nil) -> Form {
        let words = type.allCases.map(\.rawValue)
        return Form(.word(words), shown: quotedWord) { reader, field in
            guard let text = reader.text(field) else { return nil }
            if let value = Value(rawValue: text) { return value }
            reader.report(
                field.line, "'\(text)' is not a \(kind ?? "valid value")",
                kind == nil
                    ? "write one of: \(words.joined(separator: ", "))" : "write \(words.joined(separator: " or "))")
            return nil
        }
    }
}

// MARK: Collections

extension Form {
    /// A list; elements that are refused are left out. Where it has to have some, an empty one is refused:
    /// here, or by the reader of the mapping in words of its own.
    package static func list<Element>(
        _ element: Form<Element>, count: ClosedRange<Int>? = nil, isReportedEmpty: Bool = true
    ) -> Form where Value == [Element] {
        let shown: @Sendable ([Element]) -> String? = { values in
            let words = values.compactMap(element.shown)
            return words.isEmpty ? nil : "[\(words.joined(separator: ", "))]"
        }
        return Form(.list(element.type, count: count), shown: shown) { reader, field in
            let fields = reader.list(field)
            if isReportedEmpty, let count, count.lowerBound > 0, fields.isEmpty, field.isList {
                reader.report(field.line, "\(field.name) is an empty list", "write at least one, or leave it out")
            }
            return fields.compactMap { element.read(reader, $0) }
        }
    }

    /// A mapping whose keys are names of the operator's own; values that are refused are left out.
    package static func map<Element>(_ names: TextRule, _ element: Form<Element>) -> Form
    where Value == [MapEntry<Element>] {
        Form(.map(names, element.type)) { reader, field in
            reader.pairs(field).map {
                MapEntry(key: $0.key, line: $0.value.line, value: element.read(reader, $0.value))
            }
        }
    }

    /// A mapping of names to texts. Numbers and flags are read as they are written.
    package static func textMap(_ names: TextRule = TextRule()) -> Form where Value == [String: String] {
        let value = Form<String>.text(TextRule(bytes: 0...Int.max, unquoted: .all))
        return Form(.map(names, value.type)) { reader, field in
            let pairs = reader.pairs(field).compactMap { pair in value.read(reader, pair.value).map { (pair.key, $0) } }
            return Dictionary(pairs) { $1 }
        }
    }

    /// A mapping with declared keys.
    package static func mapping<Keys: KeyTable>(_ keys: Keys) -> Form where Value == Section<Keys> {
        let mapping = Mapping(keys)
        return Form(.mapping(keys)) { reader, field in Section(field, mapping, reader) }
    }

    /// A value that is made from another one.
    package func map<Other>(_ change: @escaping @Sendable (Value) -> Other) -> Form<Other> {
        Form<Other>(type) { reader, field in read(reader, field).map(change) }
    }
}

/// An entry of a mapping whose keys are names of the operator's own.
package struct MapEntry<Value> {
    package let key: String
    package let line: Int
    /// Nil if it was refused.
    package let value: Value?
}

// MARK: Values as JSON

private func plain<Value>(_ value: Value) -> String? { "\(value)" }

private func quotedWord<Word: RawRepresentable>(_ word: Word) -> String? where Word.RawValue == String {
    quoted(word.rawValue)
}

private func quoted(_ text: String) -> String {
    "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
}

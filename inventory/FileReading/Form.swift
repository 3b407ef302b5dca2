import SafeText
package import UpgradeDomain
import Yams

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

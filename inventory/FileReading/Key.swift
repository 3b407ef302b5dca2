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

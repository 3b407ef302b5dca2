import Yams

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

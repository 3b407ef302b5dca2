import Yams

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

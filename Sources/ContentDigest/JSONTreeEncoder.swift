import UpgradeDomain

/// Encodes a value straight into a ``JSONValue``, without writing and reading text in between.
///
/// Digests are taken of every event, so this is where a ledger spends its time. What it makes is what `JSONDecoder`
/// would read from `JSONEncoder`'s text; a test compares the two.
enum JSONTreeEncoder {
    static func tree(of value: some Encodable) throws -> JSONValue {
        let node = TreeNode()
        try value.encode(to: TreeEncoder(node: node, codingPath: []))
        return node.value
    }
}

/// A place in the tree that is being filled.
private final class TreeNode {
    enum Content {
        case scalar(JSONValue)
        case array([TreeNode])
        case object([String: TreeNode])
    }
    var content = Content.object([:])

    var value: JSONValue {
        switch content {
        case .scalar(let value): value
        case .array(let elements): .array(elements.map(\.value))
        case .object(let members): .object(members.mapValues(\.value))
        }
    }

    func member(_ key: String) -> TreeNode {
        let node = TreeNode()
        if case .object(var members) = content {
            content = .scalar(.null)
            members[key] = node
            content = .object(members)
        }
        return node
    }

    func element() -> TreeNode {
        let node = TreeNode()
        if case .array(var elements) = content {
            content = .scalar(.null)
            elements.append(node)
            content = .array(elements)
        }
        return node
    }

    var count: Int { if case .array(let elements) = content { elements.count } else { 0 } }
}

private struct TreeEncoder: Encoder {
    let node: TreeNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(KeyedTree<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.content = .array([])
        return UnkeyedTree(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { ScalarTree(node: node, codingPath: codingPath) }
}

extension TreeNode {
    func put(_ value: JSONValue) { content = .scalar(value) }

    func put(_ number: some BinaryInteger, _ path: [any CodingKey]) throws {
        guard let integer = Int64(exactly: number) else {
            // As text it would be read back as a floating-point number.
            return put(.number(Double(number)))
        }
        put(.integer(integer))
    }

    func encode(_ value: some Encodable, _ path: [any CodingKey]) throws {
        switch value {
        case let text as String: put(.string(text))
        case let flag as Bool: put(.bool(flag))
        case let number as Double: put(.number(number))
        case let number as Float: put(.number(Double(number)))
        case let number as any BinaryInteger: try put(number, path)
        default: try value.encode(to: TreeEncoder(node: self, codingPath: path))
        }
    }
}

private struct KeyedTree<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: TreeNode
    let codingPath: [any CodingKey]

    mutating func encodeNil(forKey key: Key) throws { node.member(key.stringValue).put(.null) }

    mutating func encode(_ value: some Encodable, forKey key: Key) throws {
        try node.member(key.stringValue).encode(value, codingPath)
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        TreeEncoder(node: node.member(key.stringValue), codingPath: codingPath).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        TreeEncoder(node: node.member(key.stringValue), codingPath: codingPath).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { TreeEncoder(node: node.member("super"), codingPath: codingPath) }

    mutating func superEncoder(forKey key: Key) -> any Encoder {
        TreeEncoder(node: node.member(key.stringValue), codingPath: codingPath)
    }
}

private struct UnkeyedTree: UnkeyedEncodingContainer {
    let node: TreeNode
    let codingPath: [any CodingKey]
    var count: Int { node.count }

    mutating func encodeNil() throws { node.element().put(.null) }

    mutating func encode(_ value: some Encodable) throws { try node.element().encode(value, codingPath) }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        TreeEncoder(node: node.element(), codingPath: codingPath).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        TreeEncoder(node: node.element(), codingPath: codingPath).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { TreeEncoder(node: node.element(), codingPath: codingPath) }
}

private struct ScalarTree: SingleValueEncodingContainer {
    let node: TreeNode
    let codingPath: [any CodingKey]

    mutating func encodeNil() throws { node.put(.null) }

    mutating func encode(_ value: some Encodable) throws { try node.encode(value, codingPath) }
}

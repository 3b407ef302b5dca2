import UpgradeDomain

/// A JSON value as an `Encodable` fills it, without writing and reading text in between.
///
/// Digests are taken of every event, so this is where a ledger spends its time: members are kept in a list, and what is
/// sorted are their names, once, when they are written. What it makes is what `JSONDecoder` would read from `JSONEncoder`'s
/// text; a test compares the two.
final class JSONNode {
    enum Content {
        case null
        case bool(Bool)
        case integer(Int64)
        /// One past the largest `Int64`.
        case large(UInt64)
        case number(Double)
        case string(String)
        case array([JSONNode])
        case object([(name: String, node: JSONNode)])
    }
    fileprivate(set) var content = Content.object([])

    /// - Throws: what the value's `encode(to:)` throws.
    static func of(_ value: some Encodable) throws -> JSONNode {
        let node = JSONNode()
        try value.encode(to: NodeEncoder(node: node))
        return node
    }

    fileprivate func member(_ name: String) -> JSONNode {
        let node = JSONNode()
        if case .object(var members) = content {
            content = .null  // so that the list has one owner and grows in place
            members.append((name, node))
            content = .object(members)
        }
        return node
    }

    fileprivate func element() -> JSONNode {
        let node = JSONNode()
        if case .array(var elements) = content {
            content = .null
            elements.append(node)
            content = .array(elements)
        }
        return node
    }

    fileprivate var count: Int { if case .array(let elements) = content { elements.count } else { 0 } }

    fileprivate func put(_ number: some BinaryInteger) {
        content =
            Int64(exactly: number).map(Content.integer) ?? UInt64(exactly: number).map(Content.large)
            ?? .number(Double(number))
    }
}

private struct NodeEncoder: Encoder {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(Members<Key>(node: node))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.content = .array([])
        return Elements(node: node)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Scalar(node: node) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) { node.member(key.stringValue).content = .null }
    func encode(_ value: Bool, forKey key: Key) { node.member(key.stringValue).content = .bool(value) }
    func encode(_ value: String, forKey key: Key) { node.member(key.stringValue).content = .string(value) }
    func encode(_ value: Double, forKey key: Key) { node.member(key.stringValue).content = .number(value) }
    func encode(_ value: Float, forKey key: Key) { node.member(key.stringValue).content = .number(Double(value)) }
    func encode(_ value: some BinaryInteger & Encodable, forKey key: Key) { node.member(key.stringValue).put(value) }
    func encode(_ value: some Encodable, forKey key: Key) throws {
        try value.encode(to: NodeEncoder(node: node.member(key.stringValue)))
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: node.member(key.stringValue)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        NodeEncoder(node: node.member(key.stringValue)).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { NodeEncoder(node: node.member("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { NodeEncoder(node: node.member(key.stringValue)) }
}

private struct Elements: UnkeyedEncodingContainer {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }
    var count: Int { node.count }

    func encodeNil() { node.element().content = .null }
    func encode(_ value: Bool) { node.element().content = .bool(value) }
    func encode(_ value: String) { node.element().content = .string(value) }
    func encode(_ value: Double) { node.element().content = .number(value) }
    func encode(_ value: Float) { node.element().content = .number(Double(value)) }
    func encode(_ value: some BinaryInteger & Encodable) { node.element().put(value) }
    func encode(_ value: some Encodable) throws { try value.encode(to: NodeEncoder(node: node.element())) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: node.element()).container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        NodeEncoder(node: node.element()).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { NodeEncoder(node: node.element()) }
}

private struct Scalar: SingleValueEncodingContainer {
    let node: JSONNode
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { node.content = .null }
    func encode(_ value: Bool) { node.content = .bool(value) }
    func encode(_ value: String) { node.content = .string(value) }
    func encode(_ value: Double) { node.content = .number(value) }
    func encode(_ value: Float) { node.content = .number(Double(value)) }
    func encode(_ value: some BinaryInteger & Encodable) { node.put(value) }
    func encode(_ value: some Encodable) throws { try value.encode(to: NodeEncoder(node: node)) }
}

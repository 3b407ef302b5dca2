/// A JSON value as an `Encodable` fills it, without writing text and parsing it again.
///
/// A digest is computed for every event, so this is where a ledger spends its time. All nodes are in one list. All
/// strings and numbers, in their written form, are in another. Only the names of an object are sorted, once, when it is
/// written. The result is what `JSONDecoder` would read from `JSONEncoder`'s text; a test compares the two.
final class JSONTree {
    struct Node {
        enum Kind { case scalar, array, object }

        var kind = Kind.object
        /// The position of its name if it is a member of an object.
        var name = 0..<0
        /// A scalar's position in the text; an array's or object's first and last child, 0 for none.
        var start = 0
        var end = 0
        /// The next node in the same array or object; 0 for none.
        var next = 0
    }

    // Only one encoder at a time reaches these, and none of them calls out while it does. Swift's own exclusivity check
    // would cost as much as all the rest.
    @exclusivity(unchecked) private(set) var nodes = [Node()]
    @exclusivity(unchecked) private(set) var text: [UInt8] = []

    /// - Throws: any error from the value's `encode(to:)`, and `NotRepresentable`.
    init(of value: some Encodable) throws {
        nodes.reserveCapacity(64)
        text.reserveCapacity(1_024)
        let root = NodeEncoder(tree: self, node: 0)
        if let direct = value as? any DirectJSON {
            try direct.write(to: JSONWriter(node: root))
        } else {
            try value.encode(to: root)
        }
    }

    // MARK: Growing

    fileprivate func member(_ name: String, of parent: Int) -> NodeEncoder {
        let start = text.count
        var name = name
        name.withUTF8 { text.append(contentsOf: $0) }
        return add(Node(name: start..<text.count), to: parent, .object)
    }

    func member(_ name: StaticString, of parent: Int) -> NodeEncoder {
        let start = text.count
        text.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        return add(Node(name: start..<text.count), to: parent, .object)
    }

    func element(of parent: Int) -> NodeEncoder { add(Node(), to: parent, .array) }

    private func add(_ child: Node, to parent: Int, _ kind: Node.Kind) -> NodeEncoder {
        let index = nodes.count
        nodes.append(child)
        // If a node is filled again as another kind, it loses its children.
        if nodes[parent].kind == kind {
            let last = nodes[parent].end
            if last == 0 { nodes[parent].start = index } else { nodes[last].next = index }
            nodes[parent].end = index
        }
        return NodeEncoder(tree: self, node: index)
    }

    func makeArray(_ node: Int) {
        nodes[node].kind = .array
        nodes[node].start = 0
        nodes[node].end = 0
    }

    fileprivate func count(of node: Int) -> Int {
        guard nodes[node].kind == .array else { return 0 }
        var count = 0
        var child = nodes[node].start
        while child != 0 {
            count += 1
            child = nodes[child].next
        }
        return count
    }

    // MARK: Scalars

    private func put(at node: Int, _ write: (inout [UInt8]) throws -> Void) rethrows {
        let start = text.count
        try write(&text)
        nodes[node].kind = .scalar
        nodes[node].start = start
        nodes[node].end = text.count
    }

    fileprivate func put(word: StaticString, at node: Int) {
        put(at: node) { text in
            text.append(contentsOf: UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        }
    }

    fileprivate func put(_ string: String, at node: Int) { put(at: node) { CanonicalJSON.write(string, to: &$0) } }

    fileprivate func put(_ number: Double, at node: Int) throws {
        guard number.isFinite else { throw NotRepresentable(number: "\(number)") }
        put(at: node) { $0 += CanonicalJSON.number(number).utf8 }
    }

    fileprivate func put(magnitude: UInt64, isNegative: Bool, at node: Int) throws {
        guard magnitude <= CanonicalJSON.largestInteger else {
            throw NotRepresentable(number: "\(isNegative ? "-" : "")\(magnitude)")
        }
        put(at: node) { text in
            if isNegative { text.append(0x2d) }
            let start = text.count
            var rest = magnitude
            repeat {
                text.append(0x30 + UInt8(truncatingIfNeeded: rest % 10))
                rest /= 10
            } while rest > 0
            text[start...].reverse()
        }
    }
}

struct NodeEncoder: Encoder {
    let tree: JSONTree
    let node: Int
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(Members<Key>(node: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        tree.makeArray(node)
        return Elements(node: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }
}

extension NodeEncoder: SingleValueEncodingContainer {
    func encodeNil() { tree.put(word: "null", at: node) }
    func encode(_ value: Bool) { tree.put(word: value ? "true" : "false", at: node) }
    func encode(_ value: String) { tree.put(value, at: node) }
    func encode(_ value: Double) throws { try tree.put(value, at: node) }
    func encode(_ value: Float) throws { try tree.put(Double(value), at: node) }

    func encode(_ value: some BinaryInteger & Encodable) throws {
        guard let magnitude = UInt64(exactly: value.magnitude) else { throw NotRepresentable(number: "\(value)") }
        try tree.put(magnitude: magnitude, isNegative: value < 0, at: node)
    }

    func encode(_ value: some Encodable) throws { try value.encode(to: self) }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: NodeEncoder
    var codingPath: [any CodingKey] { [] }

    private func member(_ key: Key) -> NodeEncoder { node.tree.member(key.stringValue, of: node.node) }

    func encodeNil(forKey key: Key) { member(key).encodeNil() }
    func encode(_ value: Bool, forKey key: Key) { member(key).encode(value) }
    func encode(_ value: String, forKey key: Key) { member(key).encode(value) }
    func encode(_ value: Double, forKey key: Key) throws { try member(key).encode(value) }
    func encode(_ value: Float, forKey key: Key) throws { try member(key).encode(value) }
    func encode(_ value: some BinaryInteger & Encodable, forKey key: Key) throws { try member(key).encode(value) }
    func encode(_ value: some Encodable, forKey key: Key) throws { try value.encode(to: member(key)) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { member(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { node.tree.member("super", of: node.node) }
    func superEncoder(forKey key: Key) -> any Encoder { member(key) }
}

private struct Elements: UnkeyedEncodingContainer {
    let node: NodeEncoder
    var codingPath: [any CodingKey] { [] }
    var count: Int { node.tree.count(of: node.node) }

    private func element() -> NodeEncoder { node.tree.element(of: node.node) }

    func encodeNil() { element().encodeNil() }
    func encode(_ value: Bool) { element().encode(value) }
    func encode(_ value: String) { element().encode(value) }
    func encode(_ value: Double) throws { try element().encode(value) }
    func encode(_ value: Float) throws { try element().encode(value) }
    func encode(_ value: some BinaryInteger & Encodable) throws { try element().encode(value) }
    func encode(_ value: some Encodable) throws { try value.encode(to: element()) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        element().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }

    func superEncoder() -> any Encoder { element() }
}

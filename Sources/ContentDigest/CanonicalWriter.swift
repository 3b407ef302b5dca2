/// Writes a tree with the names of each object in sorted order.
struct CanonicalWriter {
    private let nodes: UnsafeBufferPointer<JSONTree.Node>
    private let text: UnsafeBufferPointer<UInt8>
    private var bytes: [UInt8] = []
    /// The members of the objects that are being written, those of the innermost object last.
    private var members: [Int] = []

    static func write(_ tree: JSONTree) -> [UInt8] {
        tree.nodes.withUnsafeBufferPointer { nodes in
            tree.text.withUnsafeBufferPointer { text in
                var writer = CanonicalWriter(nodes: nodes, text: text)
                writer.bytes.reserveCapacity(text.count + 4 * nodes.count)
                writer.write(0)
                return writer.bytes
            }
        }
    }

    private init(nodes: UnsafeBufferPointer<JSONTree.Node>, text: UnsafeBufferPointer<UInt8>) {
        self.nodes = nodes
        self.text = text
    }

    private mutating func write(_ index: Int) {
        let node = nodes[index]
        switch node.kind {
        case .scalar: bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[node.start..<node.end]))
        case .array:
            bytes.append(0x5b)
            var child = node.start
            while child != 0 {
                if child != node.start { bytes.append(0x2c) }
                write(child)
                child = nodes[child].next
            }
            bytes.append(0x5d)
        case .object: writeObject(node)
        }
    }

    private mutating func writeObject(_ node: JSONTree.Node) {
        let first = members.count
        var isSorted = true
        var child = node.start
        while child != 0 {
            if members.count > first { isSorted = isSorted && precedes(members[members.count - 1], child) }
            members.append(child)
            child = nodes[child].next
        }
        if !isSorted { sortMembers(from: first) }
        let end = members.count
        bytes.append(0x7b)
        for position in first..<end {
            let member = members[position]
            // If a name was encoded more than once, its last value is used.
            if position + 1 < end, !precedes(member, members[position + 1]) { continue }
            if bytes.last != 0x7b { bytes.append(0x2c) }
            CanonicalJSON.write(text: UnsafeBufferPointer(rebasing: text[nodes[member].name]), to: &bytes)
            bytes.append(0x3a)
            write(member)
        }
        bytes.append(0x7d)
        members.removeLast(end - first)
    }

    /// Equal names keep the order of their nodes.
    private mutating func sortMembers(from first: Int) {
        let order = NameOrder(nodes: nodes, text: text)
        members.withUnsafeMutableBufferPointer { members in
            var own = UnsafeMutableBufferPointer(rebasing: members[first...])
            own.sort { left, right in order.compare(left, right) ?? (left < right) }
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        NameOrder(nodes: nodes, text: text).compare(left, right) ?? false
    }
}

/// Section 3.2.3: names are ordered by their UTF-16 code units.
private struct NameOrder {
    let nodes: UnsafeBufferPointer<JSONTree.Node>
    let text: UnsafeBufferPointer<UInt8>

    /// Whether the first of two nodes has the smaller name; nil if the names are equal.
    ///
    /// UTF-8 order is the same except for characters beyond U+FFFF: their surrogates sort before U+E000.
    func compare(_ left: Int, _ right: Int) -> Bool? {
        let (left, right) = (nodes[left].name, nodes[right].name)
        for offset in 0..<min(left.count, right.count) {
            let (one, other) = (text[left.lowerBound + offset], text[right.lowerBound + offset])
            guard one != other else { continue }
            let isBeyond = one >= 0xf0
            if one >= 0xee, other >= 0xee, isBeyond != (other >= 0xf0) { return isBeyond }
            return one < other
        }
        return left.count == right.count ? nil : left.count < right.count
    }
}

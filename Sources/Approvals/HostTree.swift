import ContentDigest
package import UpgradeDomain

/// A Merkle tree over the leaves of hosts, sorted by the bytes of the hosts' names (RFC 9162, 2.1).
///
/// Its root binds every leaf, and a host's proof shows with a few digests that its leaf is one of them. The digest of a leaf
/// is the SHA-256 of a zero byte and the leaf, that of a node the SHA-256 of a one byte and its two parts, so that neither
/// can be taken for the other.
package struct HostTree: Sendable {
    /// In the order of the leaves.
    package let hosts: [HostName]
    package let root: Digest
    /// From the leaves to the root. The last node of a level with an odd number stands on the next level as it is.
    private let levels: [[[UInt8]]]

    /// Nil without hosts, or if a digest is no SHA-256.
    package init?(_ leaves: [HostName: Digest]) {
        let sorted = leaves.sorted { $0.key.rawValue.utf8.lexicographicallyPrecedes($1.key.rawValue.utf8) }
        let digests = sorted.compactMap(\.value.bytes)
        guard !digests.isEmpty, digests.count == sorted.count else { return nil }
        hosts = sorted.map(\.key)
        var levels = [digests]
        while let last = levels.last, last.count > 1 {
            levels.append(
                stride(from: 0, to: last.count, by: 2).map { index in
                    index + 1 < last.count ? HostTree.node(last[index], last[index + 1]) : last[index]
                })
        }
        self.levels = levels
        root = Digest(bytes: levels[levels.count - 1][0])
    }

    /// Nil for a host that is not in the tree.
    package func proof(of host: HostName) -> HostProof? {
        guard let index = hosts.firstIndex(of: host) else { return nil }
        var path: [Digest] = []
        var position = index
        for level in levels.dropLast() {
            let beside = position ^ 1
            if beside < level.count { path.append(Digest(bytes: level[beside])) }
            position /= 2
        }
        return HostProof(index: index, count: hosts.count, path: path)
    }

    fileprivate static func node(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        Digest.sha256Bytes(of: [1] + left + right)
    }
}

/// That a leaf is one of a tree: its place, and the digests that lead to the root.
package struct HostProof: Codable, Hashable, Sendable {
    /// From 0.
    package var index: Int
    /// How many leaves the tree has.
    package var count: Int
    /// From the leaf's neighbour upwards.
    package var path: [Digest]

    package init(index: Int, count: Int, path: [Digest]) {
        self.index = index
        self.count = count
        self.path = path
    }

    /// Whether it leads from the digest of a leaf to a root (RFC 9162, 2.1.3.2).
    package func verifies(_ leaf: Digest, root: Digest) -> Bool {
        guard (0..<count).contains(index), var reached = leaf.bytes, let root = root.bytes else { return false }
        var (node, last) = (index, count - 1)
        for step in path {
            guard last > 0, let beside = step.bytes else { return false }
            if node % 2 == 1 || node == last {
                reached = HostTree.node(beside, reached)
                // Levels on which the node has nobody beside it.
                while node % 2 == 0, node > 0 { (node, last) = (node / 2, last / 2) }
            } else {
                reached = HostTree.node(reached, beside)
            }
            (node, last) = (node / 2, last / 2)
        }
        return last == 0 && reached == root
    }
}

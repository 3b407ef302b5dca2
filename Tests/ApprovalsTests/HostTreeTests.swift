import Approvals
import ContentDigest
import Testing
import UpgradeDomain

/// The tree over the leaves of hosts.
@Suite struct HostTreeTests {
    private func leaves(_ count: Int) -> [HostName: Digest] {
        Dictionary(
            uniqueKeysWithValues: (0..<count).map {
                (HostName("host-\($0)"), Digest.sha256(of: [0] + Array("leaf \($0)".utf8)))
            })
    }

    /// RFC 9162, 2.1.1, as it is written there.
    private func root(_ leaves: ArraySlice<[UInt8]>) -> [UInt8] {
        if leaves.count == 1 { return leaves[leaves.startIndex] }
        var split = 1
        while split * 2 < leaves.count { split *= 2 }
        let middle = leaves.startIndex + split
        return Digest.sha256Bytes(of: [1] + root(leaves[..<middle]) + root(leaves[middle...]))
    }

    @Test(arguments: 1...70)
    func theRootIsThatOfTheStandardAndEachProofLeadsToIt(_ count: Int) throws {
        let leaves = leaves(count)
        let tree = try #require(HostTree(leaves))
        let sorted = tree.hosts.compactMap { leaves[$0]?.bytes }
        #expect(tree.hosts.map(\.rawValue) == leaves.keys.map(\.rawValue).sorted())
        #expect(tree.root.bytes == root(sorted[...]))
        for (index, host) in tree.hosts.enumerated() {
            let proof = try #require(tree.proof(of: host))
            let leaf = try #require(leaves[host])
            #expect(proof.index == index && proof.count == count)
            #expect(proof.verifies(leaf, root: tree.root))
            #expect(!proof.verifies(Digest.sha256(of: [9]), root: tree.root))
            #expect(!proof.verifies(leaf, root: Digest.sha256(of: [9])))
            for other in -1...count + 1 where other != index {
                #expect(
                    !HostProof(index: other, count: count, path: proof.path).verifies(leaf, root: tree.root),
                    "\(index) of \(count) passes as \(other)")
            }
            for place in proof.path.indices {
                var wrong = proof
                wrong.path[place] = Digest.sha256(of: [UInt8(place)])
                #expect(!wrong.verifies(leaf, root: tree.root))
                wrong.path[place] = "sha256:short"
                #expect(!wrong.verifies(leaf, root: tree.root))
                wrong.path.remove(at: place)
                #expect(!wrong.verifies(leaf, root: tree.root))
            }
            var longer = proof
            longer.path.append(leaf)
            #expect(!longer.verifies(leaf, root: tree.root))
        }
    }

    /// A path of a tree with another number of leaves has another form, unless the trees agree around the leaf.
    @Test func aProofOfAnotherTreeIsNone() throws {
        for count in 2...33 {
            let tree = try #require(HostTree(leaves(count)))
            let smaller = try #require(HostTree(leaves(count - 1)))
            for host in smaller.hosts {
                let proof = try #require(smaller.proof(of: host))
                let leaf = try #require(leaves(count)[host])
                #expect(!proof.verifies(leaf, root: tree.root), "\(count), \(host)")
            }
        }
    }

    /// A node passed off as a leaf has the digest of a leaf's bytes, not that of a node.
    @Test func aNodeIsNoLeaf() throws {
        let tree = try #require(HostTree(leaves(4)))
        let proof = try #require(tree.proof(of: tree.hosts[0]))
        let (left, right) = (try #require(leaves(4)[tree.hosts[0]]?.bytes), try #require(proof.path[0].bytes))
        let asLeaf = Digest.sha256(of: [0] + left + right)
        #expect(!HostProof(index: 0, count: 2, path: [proof.path[1]]).verifies(asLeaf, root: tree.root))
    }

    @Test func thereIsNoTreeWithoutHostsOrWithABrokenDigest() {
        #expect(HostTree([:]) == nil)
        #expect(HostTree(["a": "sha256:00"]) == nil)
        #expect(HostTree(leaves(3))?.proof(of: "nowhere") == nil)
    }
}

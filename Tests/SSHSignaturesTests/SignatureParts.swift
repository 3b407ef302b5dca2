import Foundation
import SSHSignatures

/// The fields of a signature, each of which a test can change.
struct SignatureParts: Sendable {
    var magic = [UInt8]("SSHSIG".utf8)
    var version: UInt32 = 1
    var key: [UInt8]
    var namespace: [UInt8]
    var reserved: [UInt8] = []
    var hash: [UInt8]
    /// The innermost part.
    var proof: [UInt8]

    init(key: [UInt8], namespace: [UInt8], hash: [UInt8], proof: [UInt8]) {
        (self.key, self.namespace, self.hash, self.proof) = (key, namespace, hash, proof)
    }

    /// Reads an unharmed signature.
    init?(_ blob: [UInt8]) {
        var reader = SSHWireReader(blob)
        guard reader.take(6) != nil, reader.uint32() != nil, let key = reader.string(), let space = reader.string(),
            reader.string() != nil, let hash = reader.string(), let proof = reader.string()
        else { return nil }
        self.init(key: [UInt8](key), namespace: [UInt8](space), hash: [UInt8](hash), proof: [UInt8](proof))
    }

    static let fields: [any WritableKeyPath<SignatureParts, [UInt8]> & Sendable] = [
        \.magic, \.key, \.namespace, \.reserved, \.hash, \.proof,
    ]

    var blob: [UInt8] {
        var writer = SSHWireWriter()
        writer.raw(magic)
        writer.uint32(version)
        for field in [key, namespace, reserved, hash, proof] { writer.string(field) }
        return writer.bytes
    }

    /// Where the lengths of the fields are in the blob.
    var lengthOffsets: [Int] {
        [key, namespace, reserved, hash, proof].reduce(into: [10]) { $0.append($0[$0.count - 1] + 4 + $1.count) }
            .dropLast()
    }

    /// The innermost part, taken apart: the algorithm's name, the numbers, and what follows.
    var algorithm: [UInt8] {
        get { pieces.0 }
        set { proof = Self.proof(newValue, pieces.1, pieces.2) }
    }
    var content: [UInt8] {
        get { pieces.1 }
        set { proof = Self.proof(pieces.0, newValue, pieces.2) }
    }

    private var pieces: ([UInt8], [UInt8], [UInt8]) {
        var reader = SSHWireReader(proof)
        let (name, content) = ([UInt8](reader.string() ?? []), [UInt8](reader.string() ?? []))
        return (name, content, [UInt8](proof.dropFirst(8 + name.count + content.count)))
    }

    private static func proof(_ algorithm: [UInt8], _ content: [UInt8], _ rest: [UInt8]) -> [UInt8] {
        var writer = SSHWireWriter()
        writer.string(algorithm)
        writer.string(content)
        writer.raw(rest)
        return writer.bytes
    }

    /// The armoured blob, as ssh-keygen writes it.
    var armour: [UInt8] { Self.armour(blob) }

    /// Any bytes in the armour, with lines of some length.
    static func armour(_ blob: [UInt8], width: Int = 70, end: String = "\n") -> [UInt8] {
        let text = [UInt8](Data(blob).base64EncodedString().utf8)
        let lines = stride(from: 0, to: text.count, by: width).map { text[$0..<min($0 + width, text.count)] }
        let body = lines.flatMap { $0 + end.utf8 }
        return "-----BEGIN SSH SIGNATURE-----\(end)".utf8 + body + "-----END SSH SIGNATURE-----\(end)".utf8
    }
}

/// Numbers that a seed decides (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }
}

import Foundation
import SSHSignatures
import Testing

/// Signatures over all kinds of keys, hashes and sizes of content, and the cases that are made on purpose.
struct SignatureSet: Sendable {
    /// Signatures of accepted keys.
    let bases: [SignatureBase]
    /// What somebody made on purpose.
    let deliberate: [SignatureCase]
    /// The lines of the keys that `tester` may sign with.
    let allowed: [String]

    private static let sizes = [0, 1, 63, 64, 1_000, 70_000]

    /// Makes keys and signs with them: with `ssh-keygen` where it has a private half, and here for security keys.
    init(_ program: OpenSSHProgram, _ random: inout Seeded) async throws {
        let kinds: [(type: String, bits: Int?)] = [
            ("ed25519", nil), ("ecdsa", 256), ("rsa", 2048), ("rsa", 3072), ("rsa", 3074), ("rsa", 4096),
            ("ecdsa", 384),
        ]
        let files = try await OpenSSHProgram.concurrently(kinds.count) {
            try program.makeKey(kinds[$0].type, bits: kinds[$0].bits)
        }
        let messages = Self.sizes.map { random.bytes($0) }
        let namespaces = ["file", "plan@lockflight.example", "x", String(repeating: "n", count: 255)]
        var bases = try await OpenSSHProgram.concurrently(files.count * messages.count * 2) { number in
            let (file, rest) = number.quotientAndRemainder(dividingBy: messages.count * 2)
            let hash = rest % 2 == 0 ? "sha256" : "sha512"
            let (message, namespace) = (messages[rest / 2], namespaces[number % namespaces.count])
            let armour = try program.sign(
                message, key: files[file], namespace: namespace, hash: hash, name: "base-\(number)")
            let signature = try #require(Self.unarmoured(armour))
            return SignatureBase(
                name: "\(kinds[file].type)-\(kinds[file].bits ?? 0) \(hash) of \(counted(message))",
                parts: try #require(SignatureParts(signature)), message: message, namespace: namespace)
        }
        let security = [
            try SoftwareKey.securityEd25519(), try .securityP256(), try .securityEd25519(application: "ssh:lockflight"),
        ]
        for (index, key) in security.enumerated() {
            for (size, message) in messages.enumerated() {
                for (hash, flags) in [(SSHSignature.Hash.sha256, UInt8(5)), (.sha512, 1), (.sha512, 0x81)] {
                    let namespace = namespaces[(index + size) % namespaces.count]
                    let parts = try key.sign(
                        message, namespace: namespace, hash: hash, flags: flags, counter: UInt32(size) << 28)
                    bases.append(
                        SignatureBase(
                            name: "\(key.algorithm) \(hash) flags \(flags) of \(counted(message))", parts: parts,
                            message: message, namespace: namespace))
                }
            }
        }
        let special = try SpecialCases(program, ed25519: files[0], rsa: files[4], signed: bases, security: security)
        deliberate = try special.all()
        allowed =
            try files.map { String(decoding: try Data(contentsOf: URL(filePath: $0 + ".pub")), as: UTF8.self) }
            + security.map(\.line) + special.allowed
        self.bases = bases
    }

    /// The bytes behind an armour that is as ssh-keygen writes it.
    static func unarmoured(_ armour: [UInt8]) -> [UInt8]? {
        let lines = armour.split(separator: 0x0a).filter { $0.first != UInt8(ascii: "-") }
        return Data(base64Encoded: Data(lines.joined())).map { [UInt8]($0) }
    }
}

private func counted(_ message: [UInt8]) -> String { "\(message.count) B" }

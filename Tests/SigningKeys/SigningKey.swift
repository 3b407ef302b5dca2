import Crypto
import Foundation
import SSHSignatures

/// An ed25519 key of a person in a test. It signs as `ssh-keygen -Y sign` does, without starting a program.
package struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// The same key for the same name.
    package init(_ name: String) {
        let seed = SHA256.hash(data: Data(name.utf8))
        // Any 32 bytes are a key.
        key = (try? Curve25519.Signing.PrivateKey(rawRepresentation: Data(seed))) ?? Curve25519.Signing.PrivateKey()
    }

    private static let type = "ssh-ed25519"

    private var blob: [UInt8] {
        var writer = SSHWireWriter()
        writer.string(SigningKey.type.utf8)
        writer.string([UInt8](key.publicKey.rawRepresentation))
        return writer.bytes
    }

    /// Type and base64, as in `authorized_keys`.
    package var line: String { "\(SigningKey.type) \(Data(blob).base64EncodedString())" }

    /// A signature with its armour.
    package func sign(_ text: String, namespace: String) throws -> String {
        let data = SSHSignature.signedData(message: Array(text.utf8), namespace: namespace, hash: .sha512)
        var proof = SSHWireWriter()
        proof.string(SigningKey.type.utf8)
        proof.string([UInt8](try key.signature(for: data)))
        var writer = SSHWireWriter()
        writer.raw([UInt8]("SSHSIG".utf8))
        writer.uint32(1)
        writer.string(blob)
        writer.string(namespace.utf8)
        writer.string([])
        writer.string("sha512".utf8)
        writer.string(proof.bytes)
        return try SSHSignature(blob: writer.bytes).armored
    }
}
extension SigningKey { package var fingerprint: String { get throws { try SSHPublicKey(line: line).fingerprint } } }

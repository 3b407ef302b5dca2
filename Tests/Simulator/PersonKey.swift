import Crypto
import Foundation
import SSHSignatures

/// An ed25519 key of a simulated person. It signs as `ssh-keygen -Y sign` does, without starting a program.
struct PersonKey {
    private static let type = "ssh-ed25519"
    private let key: Curve25519.Signing.PrivateKey

    /// The same key for the same name, so that a seed gives the same run every time.
    init(_ name: String) throws {
        key = try Curve25519.Signing.PrivateKey(rawRepresentation: Data(SHA256.hash(data: Data(name.utf8))))
    }

    private var blob: [UInt8] {
        var writer = SSHWireWriter()
        writer.string(PersonKey.type.utf8)
        writer.string([UInt8](key.publicKey.rawRepresentation))
        return writer.bytes
    }

    /// Type and base64, as in `authorized_keys`.
    var line: String { "\(PersonKey.type) \(Data(blob).base64EncodedString())" }

    /// A signature with its armour.
    func sign(_ text: String, namespace: String) throws -> String {
        let data = SSHSignature.signedData(message: Array(text.utf8), namespace: namespace, hash: .sha512)
        var proof = SSHWireWriter()
        proof.string(PersonKey.type.utf8)
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

import Crypto
import CryptoExtras
import FoundationEssentials
import SSHSignatures
import SafeText

/// A private key in OpenSSH's own format (PROTOCOL.key in OpenSSH's sources), ready to sign.
struct OpenSSHPrivateKey: Sendable {
    /// Why a file is not a usable key.
    enum Fault: Error, Equatable {
        case malformed(String)
        /// With its public half, which is readable except in formats from before 2014.
        case encrypted(SSHHostKey?)
        case unsupported(String)
        /// A PEM container from before 2014, named by its label.
        case olderFormat(String)
        /// Other users can read it; its permission bits.
        case exposed(mode: UInt32)
    }

    private enum Signer: Sendable {
        case ed25519(Curve25519.Signing.PrivateKey)
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    /// The types that can sign, here or in an ssh-agent.
    static let types = [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    ]

    let publicKey: SSHHostKey
    private let signer: Signer

    init(file: [UInt8]) throws(Fault) {
        let body = try Self.armoredBody(file)
        var reader = SSHWireReader(body)
        let magic = [UInt8]("openssh-key-v1\0".utf8)
        guard let start = reader.take(magic.count), start.elementsEqual(magic),
            let cipher = reader.text(), reader.text() != nil, reader.string() != nil,
            reader.uint32() == 1, let publicBlob = reader.string(), let secret = reader.string()
        else { throw .malformed("the key's outer structure is damaged") }
        guard let publicKey = SSHHostKey(blob: [UInt8](publicBlob)) else {
            throw .malformed("the public key names no type")
        }
        guard cipher == "none" else { throw .encrypted(publicKey) }
        self.publicKey = publicKey
        self.signer = try Self.signer(type: publicKey.type, secret: [UInt8](secret))
    }

    private static func armoredBody(_ file: [UInt8]) throws(Fault) -> [UInt8] {
        let lines = String(decoding: file, as: UTF8.self).fields(separatedBy: "\r\n")
        guard let label = lines.first?.rest(after: "-----BEGIN ")?.rest(before: "-----") else {
            throw .malformed("the file does not start with a BEGIN line")
        }
        guard label == "OPENSSH PRIVATE KEY" else {
            if label.begins(with: "ENCRYPTED") || lines.contains(where: { $0.begins(with: "Proc-Type: 4,ENCRYPTED") }) {
                throw .encrypted(nil)
            }
            throw .olderFormat(String(label))
        }
        let base64 = lines.dropFirst().prefix(while: { !$0.begins(with: "-----END") }).joined()
        guard let data = Data(base64Encoded: base64) else { throw .malformed("the key's text is not base64") }
        return [UInt8](data)
    }

    private static func signer(type: String, secret: [UInt8]) throws(Fault) -> Signer {
        var reader = SSHWireReader(secret)
        guard let check = reader.uint32(), check == reader.uint32(), reader.text() == type else {
            throw .malformed("the key's private part is damaged")
        }
        switch type {
        case "ssh-ed25519":
            guard reader.string() != nil, let pair = reader.string(), pair.count == 64 else {
                throw .malformed("the ed25519 key has the wrong length")
            }
            return .ed25519(try wrapped { try Curve25519.Signing.PrivateKey(rawRepresentation: Data(pair.prefix(32))) })
        case "ecdsa-sha2-nistp256":
            let scalar = try ecdsaScalar(&reader, count: 32)
            return .p256(try wrapped { try P256.Signing.PrivateKey(rawRepresentation: scalar) })
        case "ecdsa-sha2-nistp384":
            let scalar = try ecdsaScalar(&reader, count: 48)
            return .p384(try wrapped { try P384.Signing.PrivateKey(rawRepresentation: scalar) })
        case "ecdsa-sha2-nistp521":
            let scalar = try ecdsaScalar(&reader, count: 66)
            return .p521(try wrapped { try P521.Signing.PrivateKey(rawRepresentation: scalar) })
        case "ssh-rsa":
            return .rsa(try rsaKey(&reader))
        default:
            throw .unsupported(type)
        }
    }

    /// n, e, d, the inverse of q, p and q, in the order of OpenSSH's `sshkey_private_serialize_opt`.
    private static func rsaKey(_ reader: inout SSHWireReader) throws(Fault) -> _RSA.Signing.PrivateKey {
        guard let modulus = reader.string(), let exponent = reader.string(), let secret = reader.string(),
            reader.string() != nil, let first = reader.string(), let second = reader.string()
        else { throw .malformed("the RSA key is cut short") }
        guard modulus.drop(while: { $0 == 0 }).count * 8 >= 2048 else { throw .unsupported("ssh-rsa below 2048 bits") }
        return try wrapped {
            try _RSA.Signing.PrivateKey(
                n: Data(modulus), e: Data(exponent), d: Data(secret), p: Data(first), q: Data(second))
        }
    }

    /// Skips the curve and the point, then pads the mpint to the curve's field size.
    private static func ecdsaScalar(_ reader: inout SSHWireReader, count: Int) throws(Fault) -> Data {
        guard reader.string() != nil, reader.string() != nil, let scalar = reader.string() else {
            throw .malformed("the ECDSA key is cut short")
        }
        let significant = scalar.drop(while: { $0 == 0 })
        guard significant.count <= count else { throw .malformed("the ECDSA key is too long for its curve") }
        return Data(repeating: 0, count: count - significant.count) + Data(significant)
    }

    private static func wrapped<Key>(_ make: () throws -> Key) throws(Fault) -> Key {
        do { return try make() } catch { throw .malformed("\(error)") }
    }

    /// The inner signature blob of RFC 8709 section 6 (ed25519), RFC 5656 section 3.1.2 (ECDSA: two mpints) or RFC 8332
    /// section 3 (RSA: PKCS #1 v1.5 over SHA-512).
    func signature(for message: Data) throws -> [UInt8] {
        switch signer {
        case .ed25519(let key): [UInt8](try key.signature(for: message))
        case .p256(let key): Self.mpints(try key.signature(for: message).rawRepresentation)
        case .p384(let key): Self.mpints(try key.signature(for: message).rawRepresentation)
        case .p521(let key): Self.mpints(try key.signature(for: message).rawRepresentation)
        case .rsa(let key):
            [UInt8](
                try key.signature(for: SHA512.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
        }
    }

    private static func mpints(_ raw: Data) -> [UInt8] {
        var writer = SSHWireWriter()
        writer.mpint(raw.prefix(raw.count / 2))
        writer.mpint(raw.suffix(raw.count / 2))
        return writer.bytes
    }
}

import Crypto
import CryptoExtras
import Foundation
import SSHSignatures

/// A key whose private half this process has, so that it signs what no program would sign. Security keys as well: their
/// hardware does nothing that a verifier could tell from this.
struct SoftwareKey: Sendable {
    private enum Signer: Sendable {
        case ed25519(Curve25519.Signing.PrivateKey)
        case p256(P256.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    let blob: [UInt8]
    let algorithm: String
    let application: String?
    private let signer: Signer

    private init(_ algorithm: String, application: String?, signer: Signer) throws {
        var writer = SSHWireWriter()
        writer.string(algorithm.utf8)
        switch signer {
        case .ed25519(let key): writer.string(key.publicKey.rawRepresentation)
        case .p256(let key):
            writer.string("nistp256".utf8)
            writer.string(key.publicKey.x963Representation)
        case .rsa(let key):
            let numbers = try key.publicKey.getKeyPrimitives()
            writer.mpint(numbers.publicExponent)
            writer.mpint(numbers.modulus)
        }
        if let application { writer.string(application.utf8) }
        (blob, self.algorithm, self.application, self.signer) = (writer.bytes, algorithm, application, signer)
    }

    static func ed25519() throws -> SoftwareKey {
        try SoftwareKey("ssh-ed25519", application: nil, signer: .ed25519(Curve25519.Signing.PrivateKey()))
    }

    static func p256() throws -> SoftwareKey {
        try SoftwareKey("ecdsa-sha2-nistp256", application: nil, signer: .p256(P256.Signing.PrivateKey()))
    }

    static func rsa(bits: Int) throws -> SoftwareKey {
        try SoftwareKey(
            "ssh-rsa", application: nil, signer: .rsa(_RSA.Signing.PrivateKey(keySize: .init(bitCount: bits))))
    }

    static func securityEd25519(application: String = "ssh:") throws -> SoftwareKey {
        try SoftwareKey(
            "sk-ssh-ed25519@openssh.com", application: application, signer: .ed25519(Curve25519.Signing.PrivateKey()))
    }

    static func securityP256(application: String = "ssh:") throws -> SoftwareKey {
        try SoftwareKey(
            "sk-ecdsa-sha2-nistp256@openssh.com", application: application, signer: .p256(P256.Signing.PrivateKey()))
    }

    /// The line of `authorized_keys`.
    var line: String { "\(algorithm) \(Data(blob).base64EncodedString())" }

    /// The innermost part of a signature of these bytes.
    ///
    /// - Parameters:
    ///   - data: what is signed.
    ///   - flags: of a security key.
    ///   - counter: of a security key.
    ///   - hash: of an RSA key; nil for SHA-1.
    func proof(
        of data: [UInt8], flags: UInt8 = 1, counter: UInt32 = 7, hash: SSHSignature.Hash? = .sha512
    ) throws -> [UInt8] {
        let state = SSHSignature.SecurityKeyState(flags: flags, counter: counter)
        let signed = application.map { SSHSignature.securityKeyData(data, application: $0, state: state) } ?? data
        var writer = SSHWireWriter()
        writer.string(name(hash).utf8)
        writer.string(try content(signing: signed, hash))
        if application != nil {
            writer.raw([flags])
            writer.uint32(counter)
        }
        return writer.bytes
    }

    private func name(_ hash: SSHSignature.Hash?) -> String {
        guard case .rsa = signer else { return algorithm }
        return switch hash {
        case .sha256: "rsa-sha2-256"
        case .sha512: "rsa-sha2-512"
        case nil: "ssh-rsa"
        }
    }

    /// The signature's numbers.
    func content(signing data: [UInt8]) throws -> [UInt8] { try content(signing: data, .sha512) }

    private func content(signing data: [UInt8], _ hash: SSHSignature.Hash?) throws -> [UInt8] {
        switch signer {
        case .ed25519(let key): return [UInt8](try key.signature(for: data))
        case .p256(let key):
            let numbers = try key.signature(for: data).rawRepresentation
            var writer = SSHWireWriter()
            writer.mpint(numbers.prefix(32))
            writer.mpint(numbers.suffix(32))
            return writer.bytes
        case .rsa(let key):
            let signature =
                switch hash {
                case .sha256: try key.signature(for: SHA256.hash(data: data), padding: .insecurePKCS1v1_5)
                case .sha512: try key.signature(for: SHA512.hash(data: data), padding: .insecurePKCS1v1_5)
                case nil: try key.signature(for: Insecure.SHA1.hash(data: data), padding: .insecurePKCS1v1_5)
                }
            return [UInt8](signature.rawRepresentation)
        }
    }

    /// A whole signature; see ``proof(of:flags:counter:hash:)`` for the parameters of keys.
    func sign(
        _ message: [UInt8], namespace: String = "file", hash: SSHSignature.Hash = .sha512, flags: UInt8 = 1,
        counter: UInt32 = 7
    ) throws -> SignatureParts {
        let data = SSHSignature.signedData(message: message, namespace: namespace, hash: hash)
        return SignatureParts(
            key: blob, namespace: [UInt8](namespace.utf8), hash: [UInt8](hash.rawValue.utf8),
            proof: try proof(of: data, flags: flags, counter: counter))
    }
}

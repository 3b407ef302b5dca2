import Crypto
import CryptoExtras
import FoundationEssentials
import SafeText

/// A public key that may sign: ed25519, ECDSA on P-256, RSA, or a security key of the first two kinds.
///
/// Each key has exactly one blob (RFC 4253 section 6.6, RFC 5656, RFC 8709, PROTOCOL.u2f): another encoding of the same
/// key is refused, and so are bytes that follow it. So keys can be counted and compared by their bytes.
package struct SSHPublicKey: Sendable {
    /// What sort of key it is.
    package enum Kind: Hashable, Sendable, CustomStringConvertible {
        case ed25519
        case ecdsaP256
        case securityEd25519
        case securityECDSAP256
        case rsa(bits: Int)

        /// The key's type as in the first column of `authorized_keys`.
        package var type: String {
            switch self {
            case .ed25519: "ssh-ed25519"
            case .ecdsaP256: "ecdsa-sha2-nistp256"
            case .securityEd25519: "sk-ssh-ed25519@openssh.com"
            case .securityECDSAP256: "sk-ecdsa-sha2-nistp256@openssh.com"
            case .rsa: "ssh-rsa"
            }
        }

        /// Whether the private half is said to be in a security key, whose signatures have flags and a counter.
        ///
        /// Nothing proves it: a key made in software can have this type too, and set the flags. So a touch is worth as
        /// much as the check that was made when the key was put on a list.
        package var isSecurityKey: Bool {
            switch self {
            case .securityEd25519, .securityECDSAP256: true
            case .ed25519, .ecdsaP256, .rsa: false
            }
        }

        package var description: String {
            switch self {
            case .ed25519: "an ed25519 key"
            case .ecdsaP256: "an ECDSA key on P-256"
            case .securityEd25519: "an ed25519 security key"
            case .securityECDSAP256: "an ECDSA security key"
            case .rsa(let bits): "an RSA key of \(bits) bits"
            }
        }
    }

    /// What verifies.
    enum Verifier: Sendable {
        case ed25519(Curve25519.Signing.PublicKey)
        case p256(P256.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey, bytes: Int)
        /// An RSA key that is too short to verify with, whatever the rules say.
        case shortRSA
    }

    /// The bytes of the second column of `authorized_keys`.
    package let blob: [UInt8]
    package let kind: Kind
    /// The application that a security key was made for, such as `ssh:`; empty for others.
    package let application: String
    let verifier: Verifier

    // MARK: Reading

    /// Reads the blob.
    ///
    /// - Throws: `malformedKey`, `unsupportedKey`, `certificate`, `foreignApplication` or `rsaTooLong`.
    package init(blob: [UInt8]) throws(SignatureProblem) {
        var reader = SSHWireReader(blob)
        guard let type = reader.text(), !type.isEmpty else { throw .malformedKey("it names no type") }
        switch type {
        case Kind.ed25519.type:
            (kind, application) = (.ed25519, "")
            verifier = try Self.ed25519(&reader)
        case Kind.securityEd25519.type:
            kind = .securityEd25519
            verifier = try Self.ed25519(&reader)
            application = try Self.application(&reader)
        case Kind.ecdsaP256.type:
            (kind, application) = (.ecdsaP256, "")
            verifier = try Self.p256(&reader)
        case Kind.securityECDSAP256.type:
            kind = .securityECDSAP256
            verifier = try Self.p256(&reader)
            application = try Self.application(&reader)
        case "ssh-rsa":
            let key = try Self.rsa(&reader)
            (kind, application, verifier) = (.rsa(bits: key.bits), "", key.verifier)
        default:
            throw Self.refusal(of: type)
        }
        guard reader.isAtEnd else { throw .malformedKey("bytes follow it") }
        self.blob = blob
    }

    /// Reads one line in the form of `authorized_keys` and `.pub` files: type, base64 and perhaps a comment, which is
    /// not kept. Options before the type are refused.
    ///
    /// - Throws: what ``init(blob:)`` throws.
    package init(line: String) throws(SignatureProblem) {
        guard line.utf8.count <= SignatureLimits.keyLineBytes else {
            throw .malformedKey("its line is longer than \(SignatureLimits.keyLineBytes) bytes")
        }
        let text = line.trimmed
        guard !text.holds(anyOf: "\r\n\0") else { throw .malformedKey("it is not on one line") }
        let columns = text.fields()
        guard let type = columns.first.map(String.init) else { throw .malformedKey("the line is empty") }
        guard Self.isType(type) else { throw Self.refusal(of: type) }
        guard columns.count >= 2, let blob = Self.decoded(columns[1]) else {
            throw .malformedKey("no base64 follows its type")
        }
        var reader = SSHWireReader(blob)
        guard reader.text() == type else { throw .malformedKey("its line and its bytes name different types") }
        try self.init(blob: blob)
    }

    /// Whether a word is a type of keys here or in OpenSSH, which may still be refused.
    static func isType(_ word: String) -> Bool {
        let read: [Kind] = [.ed25519, .ecdsaP256, .securityEd25519, .securityECDSAP256, .rsa(bits: 0)]
        return read.contains { $0.type == word } || word.ends(with: "-cert-v01@openssh.com")
            || ["ssh-dss", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-xmss@openssh.com"].contains(word)
    }

    private static func refusal(of type: String) -> SignatureProblem {
        type.ends(with: "-cert-v01@openssh.com") ? .certificate(type) : .unsupportedKey(type)
    }

    private static func ed25519(_ reader: inout SSHWireReader) throws(SignatureProblem) -> Verifier {
        guard let point = reader.string(), let key = try? Curve25519.Signing.PublicKey(rawRepresentation: point) else {
            throw .malformedKey("it does not have the 32 bytes of an ed25519 key")
        }
        return .ed25519(key)
    }

    private static func p256(_ reader: inout SSHWireReader) throws(SignatureProblem) -> Verifier {
        guard reader.text() == "nistp256" else { throw .malformedKey("its curve is not the one that its type names") }
        // Uncompressed only: the compressed form of the point would be a second blob of the same key.
        guard let point = reader.string(), point.count == 65, point.first == 4,
            let key = try? P256.Signing.PublicKey(x963Representation: point)
        else { throw .malformedKey("it is not an uncompressed point of the curve P-256") }
        return .p256(key)
    }

    /// ssh-keygen makes keys only for applications that begin with `ssh:`, but verifies with any other, such as a web
    /// site's. Here only the former are accepted.
    private static func application(_ reader: inout SSHWireReader) throws(SignatureProblem) -> String {
        guard let application = reader.text(), application.utf8.count <= SignatureLimits.nameBytes else {
            throw .malformedKey("it names no application")
        }
        guard application.begins(with: "ssh:") else { throw .foreignApplication(application) }
        return application
    }

    private static func rsa(
        _ reader: inout SSHWireReader
    ) throws(SignatureProblem) -> (bits: Int, verifier: Verifier) {
        guard let exponent = reader.positive(bytes: SignatureLimits.blobBytes),
            let modulus = reader.positive(bytes: SignatureLimits.blobBytes), let top = modulus.first
        else { throw .malformedKey("its RSA numbers are not positive numbers in their shortest form") }
        let bits = modulus.count * 8 - top.leadingZeroBitCount
        guard bits <= SignatureLimits.rsaBits else { throw .rsaTooLong(bits: bits) }
        guard bits >= SignatureLimits.shortestRSABits else { return (bits, .shortRSA) }
        guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent) else {
            throw .malformedKey("its RSA numbers cannot be used")
        }
        return (bits, .rsa(key, bytes: modulus.count))
    }

    /// The bytes of base64 in its one canonical form, with its padding.
    static func decoded(_ base64: some StringProtocol) -> [UInt8]? {
        guard let data = Data(base64Encoded: String(base64)), data.base64EncodedString() == base64 else { return nil }
        return [UInt8](data)
    }

    // MARK: Writing

    package var fingerprint: String { Self.fingerprint(of: blob) }

    /// A key of any kind as `ssh-keygen -l` names it: `SHA256:` and the base64 of its blob's digest, without padding.
    package static func fingerprint(of blob: [UInt8]) -> String {
        let encoded = Data(SHA256.hash(data: blob)).base64EncodedString()
        return "SHA256:" + encoded.prefix(upToAnyOf: "=")
    }

    /// Type and base64, without a comment.
    package var line: String { "\(kind.type) \(Data(blob).base64EncodedString())" }
}

extension SSHPublicKey: Hashable {
    package static func == (one: SSHPublicKey, other: SSHPublicKey) -> Bool { one.blob == other.blob }
    package func hash(into hasher: inout Hasher) { hasher.combine(blob) }
}

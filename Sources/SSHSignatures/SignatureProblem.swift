import SafeText

/// Why a public key or a signature is refused.
package enum SignatureProblem: Error, Hashable, Sendable {
    // MARK: A text is no armoured signature

    /// With what is wrong.
    case notArmoured(String)

    // MARK: The bytes are no signature or key

    /// The structure is damaged; with the part.
    case malformedSignature(String)
    case unsupportedVersion(UInt32)
    /// A hash other than sha256 and sha512.
    case unsupportedHash(String)
    /// A signature algorithm that the key does not use.
    case unsupportedAlgorithm(String, kind: SSHPublicKey.Kind)
    /// RSA over SHA-1, which has collisions.
    case sha1
    case malformedKey(String)
    /// A kind of key that is not read, such as `ecdsa-sha2-nistp384`.
    case unsupportedKey(String)
    /// A certificate; with its type. Only plain keys are read.
    case certificate(String)
    /// The application of a security key does not begin with `ssh:`.
    case foreignApplication(String)
    /// More bits than are verified.
    case rsaTooLong(bits: Int)

    // MARK: The signature is not what the caller asked for

    case wrongNamespace(signed: String, expected: String)
    /// The content, or the signature, was changed; or another key signed.
    case doesNotMatch(SSHPublicKey)
    case rsaRefused
    case rsaTooShort(bits: Int, minimumBits: Int)
    case noTouch(SSHPublicKey)
    case noVerification(SSHPublicKey)

    /// What is wrong, as a sentence without its capital and full stop. Foreign words in it are short and printable.
    package var words: String {
        switch self {
        case .notArmoured(let detail):
            "this is not an armoured SSH signature: \(detail)"
        case .malformedSignature(let detail):
            "the signature is damaged: \(detail)"
        case .unsupportedVersion(let version):
            "the signature has format version \(version), and only version 1 is read"
        case .unsupportedHash(let name):
            "the signature uses the hash \(Self.quoted(name)), and only sha256 and sha512 are accepted"
        case .unsupportedAlgorithm(let name, let kind):
            "the signature's algorithm is \(Self.quoted(name)), which \(kind.description) does not use"
        case .sha1:
            "the RSA signature uses SHA-1 (ssh-rsa), and only rsa-sha2-256 and rsa-sha2-512 are accepted"
        case .malformedKey(let detail):
            "the public key is damaged: \(detail)"
        case .unsupportedKey(let type):
            """
            keys of type \(Self.quoted(type)) are not accepted; ed25519, ECDSA on P-256, RSA, and security keys of the \
            first two kinds are
            """
        case .certificate(let type):
            "this is a certificate (\(Self.quoted(type))), and only plain public keys are accepted"
        case .foreignApplication(let application):
            """
            the security key was made for the application \(Self.quoted(application)), and only those that begin with \
            "ssh:" are accepted
            """
        case .rsaTooLong(let bits):
            "the RSA key has \(bits) bits, and at most \(SignatureLimits.rsaBits) are accepted"
        case .wrongNamespace(let signed, let expected):
            "the signature is for the namespace \(Self.quoted(signed)), and not for \(Self.quoted(expected))"
        case .doesNotMatch(let key):
            "the signature does not match the content and the key \(key.fingerprint)"
        case .rsaRefused:
            "the signature was made with an RSA key, and RSA is not accepted here"
        case .rsaTooShort(let bits, let minimum):
            "the RSA key has \(bits) bits, and at least \(minimum) are required"
        case .noTouch(let key):
            "nobody touched the security key \(key.fingerprint) for this signature, and a touch is required"
        case .noVerification(let key):
            """
            the security key \(key.fingerprint) did not check its user (by PIN or fingerprint) for this signature, and \
            that is required
            """
        }
    }

    /// A foreign word in quotation marks: cut, and without control characters, which would reach a terminal or a log.
    static func quoted(_ word: String) -> String {
        let bytes = word.utf8.prefix(SignatureLimits.quotedBytes).map {
            $0 >= 0x20 && $0 < 0x7f ? $0 : UInt8(ascii: "?")
        }
        return "\"\(String(decoding: bytes, as: UTF8.self))\(word.utf8.count > bytes.count ? "..." : "")\""
    }
}

import SafeText

/// A detached signature in OpenSSH's format SSHSIG (PROTOCOL.sshsig), as `ssh-keygen -Y sign` writes it.
///
/// Reading one verifies nothing: every field is what its maker wrote. Only ``verify(message:namespace:rules:)`` says
/// whether the key signed the content.
package struct SSHSignature: Sendable {
    /// How the content was digested before it was signed.
    package enum Hash: String, Sendable, CaseIterable {
        case sha256
        case sha512
    }

    /// What a security key adds to a signature, and signs with it.
    package struct SecurityKeyState: Hashable, Sendable {
        /// FIDO's flags: bit 0 says that somebody touched the key, bit 2 that it verified its user.
        package let flags: UInt8
        /// How often the key has signed; keys may count per application, or not at all.
        package let counter: UInt32

        package init(flags: UInt8, counter: UInt32) {
            self.flags = flags
            self.counter = counter
        }

        package var wasTouched: Bool { flags & 0x01 != 0 }
        package var hasVerifiedUser: Bool { flags & 0x04 != 0 }
    }

    /// The innermost part.
    enum Proof: Sendable {
        /// 64 bytes.
        case ed25519([UInt8])
        /// r and s with 32 bytes each.
        case ecdsa([UInt8])
        case rsa([UInt8], Hash)
    }

    /// The bytes behind the armour.
    package let blob: [UInt8]
    /// The key that is said to have signed.
    package let publicKey: SSHPublicKey
    /// What the signature is for, such as `file`. Never empty.
    package let namespace: String
    package let hash: Hash
    /// What the security key added; nil for other keys.
    package let securityKey: SecurityKeyState?
    let proof: Proof

    /// Reads the bytes behind the armour, all of them.
    ///
    /// The field `reserved` is ignored, as PROTOCOL.sshsig requires. It is not signed: OpenSSH signs an empty one
    /// in its place. So its content proves nothing, and anybody can change it.
    /// - Throws: `malformedSignature`, `unsupportedVersion`, `unsupportedHash`, `unsupportedAlgorithm`, `sha1`, or what
    ///   ``SSHPublicKey/init(blob:)`` throws.
    package init(blob: [UInt8]) throws(SignatureProblem) {
        guard blob.count <= SignatureLimits.blobBytes else {
            throw .malformedSignature("it is longer than \(SignatureLimits.blobBytes) bytes")
        }
        var reader = SSHWireReader(blob)
        guard let magic = reader.take(Self.magic.count), magic.elementsEqual(Self.magic) else {
            throw .malformedSignature("it does not begin with SSHSIG")
        }
        guard let version = reader.uint32() else { throw .malformedSignature("it ends in the version") }
        guard version == 1 else { throw .unsupportedVersion(version) }
        guard let key = reader.string() else { throw .malformedSignature("it ends in the public key") }
        publicKey = try SSHPublicKey(blob: [UInt8](key))
        guard let namespace = reader.text(), Self.isNamespace(namespace) else {
            throw .malformedSignature("its namespace is empty, too long or not printable ASCII")
        }
        self.namespace = namespace
        guard reader.string() != nil else { throw .malformedSignature("it ends in the reserved field") }
        guard let hashName = reader.text() else { throw .malformedSignature("it names no hash") }
        guard let hash = Hash(rawValue: hashName) else { throw .unsupportedHash(hashName) }
        self.hash = hash
        guard let signature = reader.string() else { throw .malformedSignature("it ends in the signature") }
        guard reader.isAtEnd else { throw .malformedSignature("bytes follow it") }
        (proof, securityKey) = try Self.proof([UInt8](signature), of: publicKey.kind)
        self.blob = blob
    }

    static let magic = [UInt8]("SSHSIG".utf8)

    static func isNamespace(_ text: String) -> Bool {
        (1...SignatureLimits.nameBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
    }

    // MARK: The innermost part

    /// The algorithm's name and its numbers: RFC 8709 section 6, RFC 5656 section 3.1.2, RFC 8332 section 3, and
    /// PROTOCOL.u2f, by which flags and counter follow.
    private static func proof(
        _ bytes: [UInt8], of kind: SSHPublicKey.Kind
    ) throws(SignatureProblem) -> (Proof, SecurityKeyState?) {
        var reader = SSHWireReader(bytes)
        guard let algorithm = reader.text(), let content = reader.string() else {
            throw .malformedSignature("its innermost part is cut short")
        }
        let proof: Proof
        switch kind {
        case .ed25519 where algorithm == kind.type, .securityEd25519 where algorithm == kind.type:
            guard content.count == 64 else { throw .malformedSignature("an ed25519 signature has 64 bytes") }
            proof = .ed25519([UInt8](content))
        case .ecdsaP256 where algorithm == kind.type, .securityECDSAP256 where algorithm == kind.type:
            proof = .ecdsa(try ecdsaNumbers([UInt8](content)))
        case .rsa where algorithm == "rsa-sha2-256": proof = .rsa([UInt8](content), .sha256)
        case .rsa where algorithm == "rsa-sha2-512": proof = .rsa([UInt8](content), .sha512)
        case .rsa where algorithm == "ssh-rsa": throw .sha1
        case .ed25519, .securityEd25519, .ecdsaP256, .securityECDSAP256, .rsa:
            throw .unsupportedAlgorithm(algorithm, kind: kind)
        }
        var state: SecurityKeyState?
        if kind.isSecurityKey {
            guard let flags = reader.take(1)?.first, let counter = reader.uint32() else {
                throw .malformedSignature("the security key's flags and counter are missing")
            }
            state = SecurityKeyState(flags: flags, counter: counter)
        }
        guard reader.isAtEnd else { throw .malformedSignature("bytes follow its innermost part") }
        return (proof, state)
    }

    /// r and s, each padded to the 32 bytes of the curve's field.
    private static func ecdsaNumbers(_ content: [UInt8]) throws(SignatureProblem) -> [UInt8] {
        var reader = SSHWireReader(content)
        guard let r = reader.positive(bytes: 32), let s = reader.positive(bytes: 32), reader.isAtEnd else {
            throw .malformedSignature("r and s are not two positive numbers of at most 256 bits in their shortest form")
        }
        return [r, s].flatMap { [UInt8](repeating: 0, count: 32 - $0.count) + $0 }
    }
}

extension SSHSignature: Hashable {
    package static func == (one: SSHSignature, other: SSHSignature) -> Bool { one.blob == other.blob }
    package func hash(into hasher: inout Hasher) { hasher.combine(blob) }
}

import Crypto
import CryptoExtras
import FoundationEssentials

extension SSHSignature {
    /// Verifies that the key signed this content for this namespace, and that the rules are kept.
    ///
    /// - Parameters:
    ///   - message: the content, as it was given to `ssh-keygen -Y sign`.
    ///   - namespace: what the content is signed for. A signature for something else is refused, so that one for an
    ///     e-mail is never taken as one for a plan.
    ///   - rules: what else is required.
    /// - Returns: the key that signed. Anybody can make a key, so the caller must look for this one among those that it
    ///   accepts. That is why the result cannot be ignored.
    /// - Throws: `wrongNamespace`, `rsaRefused`, `rsaTooShort`, `doesNotMatch`, `noTouch` or `noVerification`.
    package func verify(
        message: [UInt8], namespace: String, rules: SignatureRules = SignatureRules()
    ) throws(SignatureProblem) -> SSHPublicKey {
        guard namespace.utf8.elementsEqual(self.namespace.utf8) else {
            throw .wrongNamespace(signed: self.namespace, expected: namespace)
        }
        if case .rsa(let bits) = publicKey.kind {
            guard let asked = rules.minimumRSABits else { throw .rsaRefused }
            let minimum = max(asked, SignatureLimits.shortestRSABits)
            guard bits >= minimum else { throw .rsaTooShort(bits: bits, minimumBits: minimum) }
        }
        let signed = Self.signedData(message: message, namespace: namespace, hash: hash)
        let matches = Self.verified.result(for: Verified(blob: blob, signed: signed)) { isRight(for: signed) }
        guard matches else { throw .doesNotMatch(publicKey) }
        // Only now: the flags are part of what is signed.
        if let securityKey {
            guard securityKey.wasTouched || !rules.requiresTouch else { throw .noTouch(publicKey) }
            guard securityKey.hasVerifiedUser || !rules.requiresVerification else { throw .noVerification(publicKey) }
        }
        return publicKey
    }

    /// The bytes that are signed for a content (PROTOCOL.sshsig section 3), before a security key wraps them.
    ///
    /// What is signed for a login begins differently, so these signatures cannot be used to log in.
    package static func signedData(message: [UInt8], namespace: String, hash: Hash) -> [UInt8] {
        var writer = SSHWireWriter()
        writer.raw(magic)
        writer.string(namespace.utf8)
        writer.string([])
        writer.string(hash.rawValue.utf8)
        switch hash {
        case .sha256: writer.string([UInt8](SHA256.hash(data: message)))
        case .sha512: writer.string([UInt8](SHA512.hash(data: message)))
        }
        return writer.bytes
    }

    /// What a security key signs in place of the data (PROTOCOL.u2f): digests of both, with its flags and counter.
    package static func securityKeyData(
        _ data: [UInt8], application: String, state: SecurityKeyState
    ) -> [UInt8] {
        var writer = SSHWireWriter()
        writer.raw(SHA256.hash(data: [UInt8](application.utf8)))
        writer.raw([state.flags])
        writer.uint32(state.counter)
        writer.raw(SHA256.hash(data: data))
        return writer.bytes
    }

    /// A signature, which contains its key, and the digest of what it is said to sign.
    private struct Verified: Hashable {
        let blob: [UInt8]
        let signed: [UInt8]
    }

    private static let verified = LastResults<Verified, Bool>(limit: SignatureLimits.verifiedCount)

    private func isRight(for data: [UInt8]) -> Bool {
        let signed =
            securityKey.map { Self.securityKeyData(data, application: publicKey.application, state: $0) } ?? data
        switch (publicKey.verifier, proof) {
        case (.ed25519(let key), .ed25519(let signature)):
            return key.isValidSignature(signature, for: signed)
        case (.p256(let key), .ecdsa(let numbers)):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: numbers) else { return false }
            return key.isValidSignature(signature, for: SHA256.hash(data: signed))
        case (.rsa(let key, let bytes), .rsa(let number, let hash)):
            guard number.count <= bytes else { return false }
            // As OpenSSH: some programs leave out leading zeros.
            let padded = [UInt8](repeating: 0, count: bytes - number.count) + number
            let signature = _RSA.Signing.RSASignature(rawRepresentation: padded)
            switch hash {
            case .sha256:
                return key.isValidSignature(signature, for: SHA256.hash(data: signed), padding: .insecurePKCS1v1_5)
            case .sha512:
                return key.isValidSignature(signature, for: SHA512.hash(data: signed), padding: .insecurePKCS1v1_5)
            }
        case (.ed25519, _), (.p256, _), (.rsa, _), (.shortRSA, _):
            return false
        }
    }
}

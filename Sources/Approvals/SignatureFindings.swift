import SSHSignatures
import SafeText
package import UpgradeDomain

/// Who signed a text, and which of its signatures do not count.
package struct SignatureFindings: Hashable, Sendable {
    /// A signature that does not count.
    package struct Refused: Hashable, Sendable {
        /// Its place among the signatures, from 0.
        package var index: Int
        /// Of the key that it names; nil if it can not be read. Only a signature that matches proves that the key made it.
        package var fingerprint: String?
        package var reason: SignatureRefusal

        /// As a sentence without its capital and full stop.
        package var words: String {
            "signature \(index + 1)\(fingerprint.map { " (\($0))" } ?? "") does not count: \(reason.words)"
        }
    }

    /// The people, each with the fingerprints of the keys that they signed with. Thresholds count the people.
    package var people: [Owner: Set<String>] = [:]
    package var refused: [Refused] = []

    /// Of these people, those who signed, sorted.
    package func signers(among group: [Owner]) -> [Owner] { Set(group).filter { people[$0] != nil }.sorted() }
}

/// Why a signature does not count.
package enum SignatureRefusal: Hashable, Sendable {
    /// It can not be read.
    case unreadable(String)
    case wrongNamespace(signed: String, expected: String)
    /// The text, or the signature, is another one.
    case doesNotMatch
    case unknownKey
    case revokedKey
    /// It is made with a kind of key that the policy does not let count.
    case keyKind(String)
    case noTouch
    /// The person's key is for break-glass, and this is something else.
    case breakGlassKey(Owner)
    /// The person's key is for everything but break-glass.
    case ordinaryKey(Owner)
    /// The person is no builder, and this is a release.
    case noBuilder(Owner)

    /// As a sentence without its capital and full stop.
    package var words: String {
        switch self {
        case .unreadable(let words): words
        case .wrongNamespace(let signed, let expected):
            "it was made for '\(signed)', and '\(expected)' is needed here"
        case .doesNotMatch: "it is over another text, or damaged"
        case .unknownKey: "the policy does not name this key"
        case .revokedKey: "the key is revoked"
        case .keyKind(let words): words
        case .noTouch: "nobody touched the security key, and the policy asks for a touch"
        case .breakGlassKey(let person): "this key of \(person) is for break-glass only"
        case .ordinaryKey(let person): "this key of \(person) is not for break-glass, which has keys of its own"
        case .noBuilder(let person): "\(person) is none of the builders"
        }
    }
}

extension Policy {
    /// Who signed a text. This is the one place where signatures become people.
    ///
    /// Break-glass counts the keys that are for it, and nothing else counts those. A release counts the builders only.
    ///
    /// - Parameters:
    ///   - text: its UTF-8 bytes are what was signed.
    ///   - signatures: with their armour.
    ///   - purpose: what it must have been signed for.
    ///   - more: keys that are revoked besides those of this version, as fingerprints.
    package func signers(
        of text: String, signatures: [String], as purpose: Purpose, revoking more: Set<String> = []
    ) -> SignatureFindings {
        let revoked = more.union(revokedKeys)
        let keys = keysByLine
        let message = Array(text.utf8)
        var findings = SignatureFindings()
        for (index, armored) in signatures.enumerated() {
            let signature: SSHSignature
            do throws(SignatureProblem) {
                signature = try SSHSignature(armored: Array(armored.utf8))
            } catch {
                findings.refused.append(.init(index: index, fingerprint: nil, reason: .unreadable(error.words)))
                continue
            }
            let fingerprint = signature.publicKey.fingerprint
            switch judge(signature, of: message, as: purpose, keys, isRevoked: revoked.contains(fingerprint)) {
            case .success(let person): findings.people[person, default: []].insert(fingerprint)
            case .failure(let reason):
                findings.refused.append(.init(index: index, fingerprint: fingerprint, reason: reason.reason))
            }
        }
        return findings
    }

    private struct Refusal: Error { var reason: SignatureRefusal }

    private struct HeldKey {
        var person: Owner
        var isForBreakGlass: Bool
    }

    private var keysByLine: [String: HeldKey] {
        var held: [String: HeldKey] = [:]
        for (name, person) in people {
            for key in person.keys { held[key] = HeldKey(person: name, isForBreakGlass: false) }
            for key in person.breakGlassKeys ?? [] { held[key] = HeldKey(person: name, isForBreakGlass: true) }
        }
        return held
    }

    private func judge(
        _ signature: SSHSignature, of message: [UInt8], as purpose: Purpose, _ keys: [String: HeldKey], isRevoked: Bool
    ) -> Result<Owner, Refusal> {
        func refuse(_ reason: SignatureRefusal) -> Result<Owner, Refusal> { .failure(Refusal(reason: reason)) }
        let asked = SignatureRules(minimumRSABits: rules.minimumRSABits, requiresTouch: rules.requiresTouch)
        // Whether it is right comes first: what a wrong one says about its key proves nothing.
        let key: SSHPublicKey
        do throws(SignatureProblem) {
            key = try signature.verify(message: message, namespace: purpose.namespace, rules: asked)
        } catch {
            return refuse(SignatureRefusal(error))
        }
        if isRevoked { return refuse(.revokedKey) }
        guard let held = keys[key.line] else { return refuse(.unknownKey) }
        switch (purpose, held.isForBreakGlass) {
        case (.breakGlass, false): return refuse(.ordinaryKey(held.person))
        case (.approve, true), (.recover, true), (.acknowledge, true), (.revoke, true), (.policy, true),
            (.release, true):
            return refuse(.breakGlassKey(held.person))
        case (.release, false):
            guard builders?.people.contains(held.person) == true else { return refuse(.noBuilder(held.person)) }
        case (.breakGlass, true), (.approve, false), (.recover, false), (.acknowledge, false), (.revoke, false),
            (.policy, false):
            break
        }
        return .success(held.person)
    }
}

extension SignatureRefusal {
    fileprivate init(_ problem: SignatureProblem) {
        switch problem {
        case .wrongNamespace(let signed, let expected): self = .wrongNamespace(signed: signed, expected: expected)
        case .doesNotMatch: self = .doesNotMatch
        case .noTouch: self = .noTouch
        case .rsaRefused, .rsaTooShort, .noVerification: self = .keyKind(problem.words)
        case .notArmoured, .malformedSignature, .unsupportedVersion, .unsupportedHash, .unsupportedAlgorithm, .sha1,
            .malformedKey, .unsupportedKey, .certificate, .foreignApplication, .rsaTooLong:
            self = .unreadable(problem.words)
        }
    }
}

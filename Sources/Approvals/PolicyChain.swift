import ContentDigest
import SafeText
package import UpgradeDomain

/// The versions of a policy, verified: the first one against a fingerprint that somebody trusts, each next one against
/// the one before.
///
/// It needs nothing but the signed texts, so a bundle can be verified without the ledger. The fingerprint is the SHA-256 of
/// the text of version 1, as `sha256:` and 64 digits. Whoever trusts a policy compares it with what its signers say it
/// is: read aloud, or from a place that the holder of the ledger can not change. `sha256sum` of the signed file prints
/// the same digits.
package struct PolicyChain: Hashable, Sendable {
    /// As they were signed, from version 1 on.
    package let signed: [SignedStatement]
    /// What they say, in the same order.
    package let versions: [Policy]

    /// The newest version.
    package var current: Policy { versions[versions.count - 1] }
    /// Of version 1: what people compare.
    package var fingerprint: Digest { PolicyChain.fingerprint(of: signed[0].text) }

    /// A version, if the chain has it.
    package subscript(version version: Int) -> Policy? {
        versions.indices.contains(version - 1) ? versions[version - 1] : nil
    }

    /// What people compare before they trust a text.
    package static func fingerprint(of text: String) -> Digest { Digest.sha256(of: Array(text.utf8)) }

    // MARK: Verifying

    /// Verifies the versions of a policy.
    ///
    /// - Parameters:
    ///   - signed: from version 1 on.
    ///   - ledger: the ledger that they must be about; nil for the one that version 1 names.
    ///   - fingerprint: of version 1, as somebody trusts it.
    package init(
        _ signed: [SignedStatement], of ledger: LedgerID? = nil, trusting fingerprint: Digest
    ) throws(PolicyProblem) {
        guard let first = signed.first else { throw .empty }
        let found = PolicyChain.fingerprint(of: first.text)
        guard found == fingerprint else { throw .otherFingerprint(found: found, trusted: fingerprint) }
        var chain = try PolicyChain(first: first, of: ledger)
        for next in signed.dropFirst() { chain = try chain.adding(next) }
        self = chain
    }

    /// Verifies a first version, which its own signers have signed. Whether to trust it is not decided here: compare
    /// ``fingerprint``.
    ///
    /// - Parameter ledger: the ledger that it must be about; nil for the one that it names.
    package init(first: SignedStatement, of ledger: LedgerID?) throws(PolicyProblem) {
        let policy = try Policy.read(first.text)
        guard policy.version == 1 else { throw .notFirst(policy.version) }
        if let ledger, policy.ledger != ledger { throw .otherLedger(policy.ledger, expected: ledger) }
        try PolicyChain.requireThreshold(of: policy, over: first, revoking: [], policy.version)
        (signed, versions) = ([first], [policy])
    }

    /// The chain with its next version.
    package func adding(_ next: SignedStatement) throws(PolicyProblem) -> PolicyChain {
        let policy = try Policy.read(next.text)
        try requireFollows(policy)
        // A key that the next version revokes may be in somebody else's hands, so it does not help to bring it about.
        let revoked = Set(policy.revokedKeys)
        try PolicyChain.requireThreshold(of: current, over: next, revoking: revoked, policy.version)
        try PolicyChain.requireThreshold(of: policy, over: next, revoking: revoked, policy.version)
        return PolicyChain(signed: signed + [next], versions: versions + [policy])
    }

    /// What can be said of a next version before anybody signs it.
    package func requireFollows(_ policy: Policy) throws(PolicyProblem) {
        guard policy.ledger == current.ledger else { throw .otherLedger(policy.ledger, expected: current.ledger) }
        guard policy.version != current.version else { throw .equal(policy.version) }
        guard policy.version > current.version else { throw .older(policy.version, current: current.version) }
        guard policy.version == current.version + 1 else { throw .skipped(policy.version, current: current.version) }
        guard policy.issuedAt >= current.issuedAt else {
            throw .issuedEarlier(policy.issuedAt, than: current.issuedAt)
        }
        if let key = Set(current.revokedKeys).subtracting(policy.revokedKeys).sorted().first {
            throw .revocationTakenBack(key)
        }
        let able = current.signers.people.filter {
            current.people[$0]?.hasKey(outside: Set(policy.revokedKeys)) == true
        }
        guard able.count >= current.signers.threshold else {
            throw .tooFewAble(policy.version, able: able.sorted(), current.signers)
        }
    }

    private init(signed: [SignedStatement], versions: [Policy]) {
        self.signed = signed
        self.versions = versions
    }

    private static func requireThreshold(
        of policy: Policy, over signed: SignedStatement, revoking revoked: Set<String>, _ version: Int
    ) throws(PolicyProblem) {
        guard !signed.signatures.isEmpty else { throw .unsigned(version) }
        let findings = policy.signers(
            of: signed.text, signatures: signed.signatures, as: .policy, revoking: revoked)
        let present = findings.signers(among: policy.signers.people)
        guard present.count >= policy.signers.threshold else {
            throw .tooFewSigners(
                version,
                PolicyShare(
                    version: policy.version, signers: policy.signers, present: present, refused: findings.refused))
        }
    }

    /// Who has signed a next version, and who may still sign, under the version before and under its own.
    ///
    /// - Parameter current: the chain that it continues; nil for version 1.
    package static func shares(of next: SignedStatement, after current: PolicyChain?) throws(PolicyProblem)
        -> [PolicyShare]
    {
        let policy = try Policy.read(next.text)
        return [current?.current, policy].compactMap(\.self).map { judge in
            let findings = judge.signers(
                of: next.text, signatures: next.signatures, as: .policy, revoking: Set(policy.revokedKeys))
            return PolicyShare(
                version: judge.version, signers: judge.signers, present: findings.signers(among: judge.signers.people),
                refused: findings.refused)
        }
    }
}

/// Who of the signers of one version has signed a text.
package struct PolicyShare: Hashable, Sendable {
    /// Of the policy that says who the signers are.
    package var version: Int
    package var signers: PolicyGroup
    /// Those who signed, sorted.
    package var present: [Owner]
    /// The signatures that do not count under that version.
    package var refused: [SignatureFindings.Refused]

    package var isComplete: Bool { present.count >= signers.threshold }
    /// The signers who have not signed, sorted.
    package var absent: [Owner] { Set(signers.people).subtracting(present).sorted() }
}

/// Why versions of a policy are not trusted.
package enum PolicyProblem: Error, Hashable, Sendable {
    case unreadable(SignedTextProblem)
    case wrongPurpose(Purpose)
    case flawed([PolicyFlaw])
    /// There is no version at all.
    case empty
    /// The first text is not version 1.
    case notFirst(Int)
    case otherFingerprint(found: Digest, trusted: Digest)
    case otherLedger(LedgerID, expected: LedgerID)
    case older(Int, current: Int)
    case equal(Int)
    case skipped(Int, current: Int)
    case issuedEarlier(SignedTime, than: SignedTime)
    case revocationTakenBack(String)
    case unsigned(Int)
    /// The version revokes keys of so many signers of the one before that the others can not bring it about.
    case tooFewAble(Int, able: [Owner], PolicyGroup)
    /// With what is lacking of one of the thresholds.
    case tooFewSigners(Int, PolicyShare)

    /// As a sentence without its capital and full stop.
    package var words: String {
        switch self {
        case .unreadable(let problem): "the policy can not be read: \(problem.words)"
        case .wrongPurpose(let purpose): "the text is for '\(purpose.rawValue)', and is no policy"
        case .flawed(let flaws):
            "the policy breaks its own rules: \(flaws[0])"
                + (flaws.count > 1 ? ", and \(flaws.count - 1) more" : "")
        case .empty: "there is no version of a policy"
        case .notFirst(let version): "version \(version) is not the first one, and version 1 is not there"
        case .otherFingerprint(let found, let trusted):
            "version 1 has the fingerprint \(found), and the trusted one is \(trusted): it is another policy"
        case .otherLedger(let found, let expected):
            "the policy is about the ledger \(found), and this is \(expected)"
        case .older(let version, let current):
            "version \(version) is older than the current version \(current): a version never comes back"
        case .equal(let version): "version \(version) is the current one already; the next is \(version + 1)"
        case .skipped(let version, let current):
            "version \(version) does not follow version \(current): version \(current + 1) is missing"
        case .issuedEarlier(let time, let before):
            "it was issued at \(time), before the version that it follows (\(before))"
        case .revocationTakenBack(let key):
            "the key \(key) is revoked in the version before, and no longer in this one: a revoked key stays revoked"
        case .tooFewAble(let version, let able, let group):
            "version \(version) needs \(group.threshold) of the signers of version \(version - 1), and its revokedKeys leave "
                + (able.isEmpty ? "nobody" : "only \(able.map(\.rawValue).joined(separator: ", "))") + " with a key"
        case .unsigned(let version): "nobody has signed version \(version)"
        case .tooFewSigners(let version, let share): PolicyProblem.words(of: share, over: version)
        }
    }

    private static func words(of share: PolicyShare, over version: Int) -> String {
        let who = share.present.isEmpty ? "none" : "only \(share.present.map(\.rawValue).joined(separator: ", "))"
        let asked =
            share.version == version ? "its own signers" : "the signers of version \(share.version), which it follows"
        let group = share.signers.people.sorted().map(\.rawValue).joined(separator: ", ")
        let refused = share.refused.prefix(4).map { "; \($0.words)" }.joined()
        return
            "version \(version) needs \(share.signers.threshold) of \(asked) (\(group)), and \(who) of them signed it"
            + refused
    }
}

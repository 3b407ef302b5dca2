import Approvals
import Ledger
import SafeText
import UpgradeDomain

/// By which policy a run went, as its events prove it.
struct PolicyProof: Encodable {
    /// That of version 1, by which the whole chain is trusted.
    var trustedFingerprint: Digest
    /// The newest version that the run recorded.
    var version: Int
    var fingerprint: Digest
    var statements: Int
    /// Those of the statements, counted or not.
    var signatures: Int
    /// The version that has the fingerprint which was given; nil if none was.
    var comparedVersion: Int?
    private let fingerprints: [Digest]

    private enum CodingKeys: String, CodingKey {
        case trustedFingerprint, version, fingerprint, statements, signatures, comparedVersion
    }

    /// Nil for a run that went by claims.
    init?(of authority: Authority) {
        guard case .policy(let chain) = authority.basis else { return nil }
        fingerprints = chain.signed.map { PolicyChain.fingerprint(of: $0.text) }
        trustedFingerprint = chain.fingerprint
        version = chain.current.version
        fingerprint = fingerprints.last ?? chain.fingerprint
        statements = authority.given.count
        signatures = authority.given.reduce(0) { $0 + $1.signed.signatures.count }
    }

    /// The proof with the version that has a fingerprint.
    ///
    /// - Throws: if no version that the run recorded has it.
    static func compared(
        _ proof: PolicyProof?, with given: Digest
    ) throws(EvidenceBundle.Fault) -> PolicyProof {
        guard var proof else {
            throw EvidenceBundle.Fault("the policy", "its approvals are claims, and a policy was given")
        }
        guard let index = proof.fingerprints.firstIndex(of: given) else {
            throw EvidenceBundle.Fault(
                "the policy",
                "its newest version is \(proof.version) with the fingerprint \(proof.fingerprint), and no version of it "
                    + "has the one that was given: it is another policy, or the run never saw that version")
        }
        proof.comparedVersion = index + 1
        return proof
    }

    /// A bundle brings its own policy along: only a comparison shows whose it is, and that nothing newer was left out.
    static func lines(_ proof: PolicyProof?) -> [TerminalText] {
        guard let proof else { return ["approvals are claims, unsigned"] }
        let signed: TerminalText =
            "approvals are signed: \(counted(proof.statements, "statement")) with "
            + "\(counted(proof.signatures, "signature")), under version \(proof.version) of the policy"
        let newest: TerminalText =
            proof.version == 1
            ? "policy version 1, fingerprint \(proof.fingerprint)"
            : "policy version \(proof.version), fingerprint \(proof.fingerprint); version 1, fingerprint "
                + "\(proof.trustedFingerprint)"
        let comparison: TerminalText =
            proof.comparedVersion.map {
                "version \($0) of the policy is the one that was given with --policy"
                    + ($0 < proof.version ? "; the run recorded newer ones, up to version \(proof.version)" : "")
            } ?? "the policy was not compared: give the fingerprint of the newest version that you know with --policy"
        return [signed, newest, comparison]
    }
}

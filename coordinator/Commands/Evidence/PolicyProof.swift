import Approvals
import Ledger
import RolloutEngine
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
    /// How many versions the run started with.
    private let startVersions: Int

    private enum CodingKeys: String, CodingKey {
        case trustedFingerprint, version, fingerprint, statements, signatures, comparedVersion
    }

    /// Nil for a run that went by claims.
    init?(of state: RolloutState) {
        let authority = state.authority
        guard case .policy(let chain) = authority.basis else { return nil }
        startVersions = state.definition.authority?.policies.count ?? 0
        fingerprints = chain.signed.map { PolicyChain.fingerprint(of: $0.text) }
        trustedFingerprint = chain.fingerprint
        version = chain.current.version
        fingerprint = fingerprints.last ?? chain.fingerprint
        statements = authority.given.count
        signatures = authority.given.reduce(0) { $0 + $1.signed.signatures.count }
    }

    /// The proof with the newest version that has one of these fingerprints.
    ///
    /// Whoever trusts a version trusts what follows it, and nothing before it: a version that reached the run later says
    /// nothing about what was changed until then.
    ///
    /// - Throws: if no version that the run recorded has one of them, or none of those that it started with.
    static func compared(
        _ proof: PolicyProof?, with given: [Digest]
    ) throws(EvidenceBundle.Fault) -> PolicyProof {
        guard var proof else {
            throw EvidenceBundle.Fault("the policy", "its approvals are claims, and a policy was given")
        }
        do throws(Mismatch) {
            proof.comparedVersion = try PolicyProof.version(
                having: given, among: proof.fingerprints, startingWith: proof.startVersions)
            return proof
        } catch {
            throw EvidenceBundle.Fault("the policy", error.words)
        }
    }

    /// Why a fingerprint does not make a bundle trusted.
    enum Mismatch: Error, Equatable {
        case unknown(Digest, newest: Int, Digest)
        case tooLate(Int, startedWith: Int)

        var words: String {
            switch self {
            case .unknown(let given, let newest, let fingerprint):
                "its newest version is \(newest) with the fingerprint \(fingerprint), and no version of it has "
                    + "\(given): it is another policy, or the run never saw that version"
            case .tooLate(let version, let start):
                "version \(version) reached the run after its start, and what was changed until then went by version "
                    + "\(start): give the fingerprint of that one, or of an older one, as well"
            }
        }
    }

    /// The newest version that has one of the fingerprints that were given.
    ///
    /// - Parameters:
    ///   - fingerprints: of the run's versions, from version 1 on.
    ///   - start: how many of them it started with.
    static func version(
        having given: [Digest], among fingerprints: [Digest], startingWith start: Int
    ) throws(Mismatch) -> Int {
        var versions: [Int] = []
        for digest in given {
            guard let index = fingerprints.firstIndex(of: digest) else {
                throw .unknown(digest, newest: fingerprints.count, fingerprints.last ?? digest)
            }
            versions.append(index + 1)
        }
        guard let oldest = versions.min(), let newest = versions.max(), oldest <= start else {
            throw .tooLate(versions.min() ?? 0, startedWith: start)
        }
        return newest
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

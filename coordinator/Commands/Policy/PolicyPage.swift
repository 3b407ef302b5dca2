import Approvals
import SafeText
import UpgradeDomain

/// A policy in words.
struct PolicyPage {
    let policy: Policy

    func lines(_ style: Style) -> [TerminalText] {
        var lines = [style.bold("people")]
        for (name, person) in policy.people.sorted(by: { $0.key < $1.key }) {
            let keys =
                person.keys.map { "\(PolicyPerson.words(ofKey: $0))" as TerminalText }
                + (person.breakGlassKeys ?? []).map { "\(PolicyPerson.words(ofKey: $0)), for break-glass only" }
            let accounts = person.accounts.map { ["accounts \($0.joined(separator: ", "))" as TerminalText] } ?? []
            for (index, line) in (keys + accounts).enumerated() {
                let head: TerminalText = index == 0 ? "\(name)" : ""
                lines.append("  " + head.padded(to: 10) + " " + line)
            }
        }
        lines.append(style.bold("signers") + "    \(policy.signers.words), who decide about this policy")
        for (name, layer) in policy.layers.sorted(by: { $0.key < $1.key }) {
            let owners = PolicyGroup(people: layer.owners, threshold: layer.threshold).words
            lines.append(
                style.bold("layer")
                    + "      \(name): \(owners); \(layer.oneWayThreshold) where a plan can not take it back")
        }
        lines.append(
            style.bold("on call") + "    "
                + (policy.onCall.map { "\($0.words) may approve reruns and sign-offs" } ?? "the owners only"))
        lines.append(
            style.bold("builders") + "   "
                + (policy.builders.map { "\($0.words) sign releases" } ?? "releases need no signature"))
        lines += policy.rules.words.map { style.bold("rule") + "       \($0)" }
        lines += policy.revokedKeys.map { style.bold("revoked") + "    \($0)" }
        return lines
    }
}

/// A version as `--json` shows it.
struct PolicyDocument: Encodable {
    var version: Int
    /// SHA-256 of the signed text.
    var fingerprint: Digest
    /// That of version 1, by which the whole chain is trusted; nil if version 1 is not known here.
    var trustedFingerprint: Digest?
    /// Those whose signatures count, under its own version or the one before.
    var signedBy: [Owner]
    /// What it changes; nil for the first version, or if the one before is not known here.
    var changes: [String]?
    var policy: Policy

    init(_ policy: Policy, text: String, chain: PolicyChain?, signedBy: [Owner]) {
        version = policy.version
        fingerprint = PolicyChain.fingerprint(of: text)
        trustedFingerprint = chain?.fingerprint ?? (policy.version == 1 ? fingerprint : nil)
        self.signedBy = signedBy
        changes = chain?[version: policy.version - 1].map { policy.changes(since: $0) }
        self.policy = policy
    }
}

extension Policy {
    /// Whose signatures under this version count: those of its own signers, and of the signers of the version before.
    func policySigners(of signed: SignedStatement, after before: Policy?) -> [Owner] {
        let names = [before, self].compactMap(\.self).flatMap { judge in
            judge.signers(
                of: signed.text, signatures: signed.signatures, as: .policy, revoking: Set(revokedKeys)
            ).signers(among: judge.signers.people)
        }
        return Set(names).sorted()
    }
}

import Approvals
package import Ledger
import SafeText
package import UpgradeDomain

/// Something that a run recorded, and that the ledger no longer has: somebody removed or replaced it in the file.
package struct TrustFault: Hashable, Sendable {
    package var run: RunID
    /// As a sentence without its capital and full stop.
    package var words: String
}

extension Ledger {
    /// The policies and statements that runs recorded, compared with those of the ledger: the first difference of each
    /// run and text.
    ///
    /// - Parameter run: only what this run recorded; nil for all.
    package func trustFaults(of run: RunID? = nil) throws -> [TrustFault] {
        let policies = try policies()
        let statements = Dictionary(try statements().map { ($0.signed.text, $0.signed) }) { first, _ in first }
        var faults: [TrustFault] = []
        for recorded in try recordedTexts(of: run, isWhole: true) {
            faults += recorded.policyFaults(in: policies)
            faults += recorded.statements.compactMap { signed in
                signed.fault(as: signed.name, in: statements[signed.text]).map {
                    TrustFault(run: recorded.run, words: "\(recorded.run) recorded \($0)")
                }
            }
        }
        return faults
    }

    /// What is missing of the policy by which runs of this ledger went; nil if nothing is. Claims would count again without
    /// it, and another first version could take its place: neither is accepted.
    ///
    /// - Parameter policies: those that the ledger has.
    package func policyLoss(_ policies: [StoredPolicy]) throws -> TrustFault? {
        for recorded in try recordedTexts(isWhole: false) {
            if let fault = recorded.policyFaults(in: policies).first { return fault }
        }
        return nil
    }
}

extension RecordedTexts {
    fileprivate func policyFaults(in stored: [StoredPolicy]) -> [TrustFault] {
        func fault(_ words: String) -> TrustFault { TrustFault(run: run, words: "\(run) \(words)") }
        if stored.isEmpty, trusted != nil || !policies.isEmpty {
            return [
                fault("went by the policy \(trusted?.short ?? "of this ledger"), and the ledger has no policy any more")
            ]
        }
        if let trusted, let first = stored.first, first.fingerprint != trusted {
            return [
                fault(
                    "went by the policy \(trusted.short), and the ledger's first version is now another one, "
                        + "\(first.fingerprint.short)")
            ]
        }
        return policies.compactMap { signed in
            let name = signed.policyName
            return signed.fault(as: name, in: stored.first { $0.signed.text.isSpelled(signed.text) }?.signed).map {
                fault("recorded \($0)")
            }
        }
    }
}

extension SignedStatement {
    /// What the ledger lacks of it; nil if nothing.
    fileprivate func fault(as name: String, in stored: SignedStatement?) -> String? {
        guard let stored else { return "\(name), which the ledger does not have any more" }
        if claim != stored.claim { return "\(name) with another claim than the ledger has" }
        let lacking = Set(signatures).subtracting(stored.signatures)
        guard !lacking.isEmpty else { return nil }
        return
            "\(name) with \(signatures.count == 1 ? "a signature" : "signatures") that the ledger does not have any more"
    }

    /// As in `version 2 of the policy (4f2c…)`.
    fileprivate var policyName: String {
        let version =
            (try? Policy.read(text)).map { "version \($0.version) of the policy" } ?? "a version of the policy"
        return "\(version) (\(PolicyChain.fingerprint(of: text).short))"
    }

    fileprivate var name: String {
        (try? Statement(signedText: text)).map { "the statement \($0.id.short)" } ?? "a statement"
    }
}

import ContentDigest
package import UpgradeDomain

extension Authority {
    /// By what a run goes: the policy that it recorded at its start with the approvals of then, or claims.
    ///
    /// A recorded policy that does not verify leaves nobody who may permit anything.
    package init(of definition: RunDefinition) {
        let scope = AuthorityScope(
            ledger: definition.ledger, run: definition.run, planDigest: definition.planDigest,
            planName: definition.plan.name, releases: definition.plan.releaseDigests, owners: definition.owners,
            author: definition.authority?.author, starter: definition.authority?.starter)
        guard let recorded = definition.authority else {
            self.init(scope, .claims)
            return
        }
        do throws(PolicyProblem) {
            self.init(
                scope,
                .policy(try PolicyChain(recorded.policies, of: definition.ledger, trusting: recorded.trusted)))
        } catch {
            self.init(scope, .unverifiable(error.words))
        }
        for statement in recorded.statements { try? take(statement) }
    }
}

extension Policy {
    private struct Purposed: Codable { var purpose: Purpose }

    /// Whether a text says that it is a version of a policy. Its other members are not read.
    package static func isPolicy(_ text: String) -> Bool {
        (try? CanonicalJSON.decode(Purposed.self, from: Array(text.utf8), nestingDepth: 16))?.purpose == .policy
    }
}

extension Plan {
    /// The digests of its layers' release manifests, each once, sorted.
    package var releaseDigests: [Digest] { Set(layers.compactMap { $0.release?.digest }).sorted() }
}

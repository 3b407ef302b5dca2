package import Approvals
import ContentDigest
package import Ledger
package import UpgradeDomain

/// The statements about a plan and its hosts: who judges them, what a run could start with now, and why others do not
/// count.
package struct PlanStatements: Sendable {
    /// Has taken what counts for a run that starts now.
    package var authority: Authority
    /// What a run records at its start; nil where approvals are claims.
    package var recorded: RunAuthority?
    /// All statements about the plan.
    package var stored: [StoredStatement]
    /// Approvals that can not serve such a run, the last one last, each with why.
    package var unusable: [(statement: Statement, words: String)] = []
    package var uses: PlanUses
    /// The leaves of the selected hosts.
    package var leaves: [HostName: Digest]

    /// Whether a policy says whose signatures count. One that does not verify lets nobody's count.
    package var isSigned: Bool {
        switch authority.basis {
        case .claims: false
        case .policy, .unverifiable: true
        }
    }
}

extension Ledger {
    /// Judges the statements of a plan for its hosts in an inventory.
    ///
    /// - Parameter starter: the account that starts a run; nil if nobody does now.
    package func judgedStatements(
        of plan: StoredPlan, over inventory: FleetInventory, starter: String?, at now: WallTime
    ) throws -> PlanStatements {
        let statements = try statements(ofPlan: plan.digest)
        let uses = try uses(
            ofPlan: plan.digest, approvals: try approvals(ofPlansNamed: plan.plan.name), statements: statements)
        return try judge(plan, inventory, starter, succeeding: nil, statements, uses, at: now)
    }

    func judge(
        _ plan: StoredPlan, _ inventory: FleetInventory, _ starter: String?, succeeding predecessor: RunID?,
        _ statements: [StoredStatement], _ uses: PlanUses, at now: WallTime
    ) throws -> PlanStatements {
        let policies = try policies()
        var scope = AuthorityScope(
            ledger: id, run: nil, planDigest: plan.digest, planName: plan.plan.name,
            releases: plan.plan.releaseDigests, owners: inventory.owners, author: plan.addedBy, starter: starter)
        let basis = try basis(policies)
        if case .policy(let chain) = basis { scope.owners = chain.current.owners }
        // Computed once, and only if a statement could name them.
        let isAsked = !statements.isEmpty || !policies.isEmpty
        let hosts = plan.plan.selectedHosts(of: inventory)
        var judged = PlanStatements(
            authority: Authority(scope, basis), recorded: nil, stored: statements, uses: uses,
            leaves: isAsked ? try HostLeaves(of: plan.plan, over: hosts).digests() : [:])
        var usable: [SignedStatement] = []
        for own in statements {
            guard let statement = try? Statement(signedText: own.signed.text), statement.run == nil else { continue }
            do {
                if let problem = uses.problem(with: statement, succeeding: predecessor) { throw problem }
                try judged.authority.take(own.signed)
                if !statement.isForLater(at: now) { usable.append(own.signed) }
            } catch {
                if statement.purpose == .approve { judged.unusable.append((statement, Authority.words(of: error))) }
            }
        }
        if let first = policies.first {
            judged.recorded = RunAuthority(
                trusted: first.fingerprint, policies: policies.map(\.signed), statements: usable, author: plan.addedBy,
                starter: starter ?? "")
        }
        return judged
    }

    /// A policy that was removed or replaced in the file of the ledger leaves nobody whose word counts.
    private func basis(_ policies: [StoredPolicy]) throws -> Authority.Basis {
        if let loss = try policyLoss(policies) { return .unverifiable(loss.words) }
        guard let first = policies.first else { return .claims }
        do throws(PolicyProblem) {
            return .policy(try PolicyChain(policies.map(\.signed), of: id, trusting: first.fingerprint))
        } catch {
            return .unverifiable(error.words)
        }
    }
}

extension Statement {
    /// Whether it is for a run that starts later: a run that starts now must not use it up.
    package func isForLater(at now: WallTime) -> Bool { now < notBefore.time && holdPoints.isEmpty }
}

extension Policy {
    /// Who owns each layer.
    package var owners: [LayerName: [Owner]] { layers.mapValues(\.owners) }
}

extension FleetInventory {
    /// Who owns each layer.
    package var owners: [LayerName: [Owner]] {
        Dictionary(layers.map { ($0.name, $0.owners) }) { first, _ in first }
    }
}

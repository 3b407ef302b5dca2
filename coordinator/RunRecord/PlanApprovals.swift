import ContentDigest
package import Ledger
package import UpgradeDomain

/// The approvals of a plan for its hosts in an inventory, and their current status.
package struct PlanApprovals: Sendable {
    package var standing: ApprovalStanding
    /// The claims that a run starts with; complete if the standing is, and empty where a policy asks for signatures.
    package var usable: [Approval]
    /// What was signed, or claimed at hold points.
    package var statements: PlanStatements
    /// The runs of the plan that this is based on, each with the number of its last event.
    package var judgedBy: [RunID: UInt64]
}

extension Ledger {
    /// The status of a plan's approvals for an inventory. Claims for an earlier version of the plan (same name,
    /// another digest) are void. The events of the runs say which approvals were used.
    ///
    /// - Parameters:
    ///   - starter: the account that starts a run; nil if nobody does now.
    ///   - predecessor: the run that it succeeds.
    package func approvals(
        of stored: StoredPlan, over inventory: FleetInventory, startedBy starter: String? = nil,
        succeeding predecessor: RunID? = nil, at now: WallTime
    ) async throws -> PlanApprovals {
        let judgedBy = try heads(ofRunsOf: stored.digest)
        let given = try approvals(ofPlansNamed: stored.plan.name)
        let statements = try statements(ofPlan: stored.digest)
        let uses = try uses(ofPlan: stored.digest, approvals: given, statements: statements)
        let judged = try judge(
            stored, inventory, starter, succeeding: predecessor, statements, uses, at: now)
        let hosts = stored.plan.selectedHosts(of: inventory)
        if judged.isSigned {
            return PlanApprovals(
                standing: ApprovalStanding(of: stored.plan, by: judged, over: hosts, at: now), usable: [],
                statements: judged, judgedBy: judgedBy)
        }
        let digest = try Digest.canonical(of: hosts)
        let approvals = given.map { GivenApproval($0, usedBy: uses.claims[$0] ?? []) }
        var standing = ApprovalStanding(
            plan: stored.plan, planDigest: stored.digest, hostsDigest: digest, inventory: inventory,
            approvals: approvals, at: now)
        standing.holdPoints = judged.points(of: stored.plan, over: hosts, at: now)
        return PlanApprovals(
            standing: standing, usable: approvals.usable(plan: stored.digest, hosts: digest, at: now),
            statements: judged, judgedBy: judgedBy)
    }
}

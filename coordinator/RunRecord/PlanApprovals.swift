import ContentDigest
package import Ledger
import RolloutEngine
package import UpgradeDomain

/// What was said for a plan over the hosts that an inventory has for it, and how that stands now.
package struct PlanApprovals: Sendable {
    package var standing: ApprovalStanding
    /// What a run starts with; complete where the standing is.
    package var usable: [Approval]
    /// The runs of the plan by which this was judged, each with its last event's number.
    package var judgedBy: [RunID: UInt64]
}

extension Ledger {
    /// How a plan's approvals stand over an inventory. Those of an earlier content of the plan, which has another digest and the same
    /// name, are void; which runs used one is what their events say.
    package func approvals(
        of stored: StoredPlan, over inventory: FleetInventory, at now: WallTime
    ) async throws -> PlanApprovals {
        let judgedBy = try heads(ofRunsOf: stored.digest)
        var used: [Approval: [RunID]] = [:]
        let given = try approvals(ofPlansNamed: stored.plan.name)
        for run in try runs().reversed() where run.planDigest == stored.digest {
            // What became of a record that can not be followed is not known: it counts as used.
            let using =
                run.standing == .quarantined
                ? given.filter { $0.planDigest == stored.digest && $0.approvedAt <= run.startedAt }
                : try approvalsUsed(by: run.id)
            for approval in using { used[approval, default: []].append(run.id) }
        }
        let hosts = try Digest.canonical(of: stored.plan.selectedHosts(of: inventory))
        let approvals = given.map { GivenApproval($0, usedBy: used[$0] ?? []) }
        return PlanApprovals(
            standing: ApprovalStanding(
                plan: stored.plan, planDigest: stored.digest, hostsDigest: hosts, inventory: inventory,
                approvals: approvals, at: now),
            usable: approvals.usable(plan: stored.digest, hosts: hosts, at: now), judgedBy: judgedBy)
    }

    private func approvalsUsed(by run: RunID) throws -> [Approval] {
        guard let state = RolloutState.fold(try allEvents(of: run), at: .zero), state.usesApprovals else { return [] }
        return state.definition.approvals
    }
}

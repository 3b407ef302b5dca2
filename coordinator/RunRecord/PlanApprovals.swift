import ContentDigest
package import Ledger
import RolloutEngine
package import UpgradeDomain

/// The approvals of a plan for its hosts in an inventory, and their current status.
package struct PlanApprovals: Sendable {
    package var standing: ApprovalStanding
    /// The approvals that a run starts with; complete if the standing is.
    package var usable: [Approval]
    /// The runs of the plan that this is based on, each with the number of its last event.
    package var judgedBy: [RunID: UInt64]
}

extension Ledger {
    /// The status of a plan's approvals for an inventory. Approvals of an earlier version of the plan (same name,
    /// another digest) are void. The events of the runs say which approvals were used.
    package func approvals(
        of stored: StoredPlan, over inventory: FleetInventory, at now: WallTime
    ) async throws -> PlanApprovals {
        let judgedBy = try heads(ofRunsOf: stored.digest)
        var used: [Approval: [RunID]] = [:]
        let given = try approvals(ofPlansNamed: stored.plan.name)
        for run in try runs().reversed() where run.planDigest == stored.digest {
            // What a run did whose record cannot be read is not known: it counts as having used them.
            let using =
                try approvalsUsed(by: run)
                ?? given.filter { $0.planDigest == stored.digest && $0.approvedAt <= run.startedAt }
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

    /// Nil where the record of the run cannot be read.
    private func approvalsUsed(by run: RunSummary) throws -> [Approval]? {
        guard run.standing != .quarantined else { return nil }
        let events: [RecordedEvent]
        do throws(LedgerError) {
            events = try allEvents(of: run.id)
        } catch {
            guard error.code == .damaged || error.code == .newerSchema else { throw error }
            return nil
        }
        guard let state = RolloutState.fold(events, at: .zero) else { return nil }
        return state.usesApprovals ? state.definition.approvals : []
    }
}

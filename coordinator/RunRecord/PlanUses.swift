package import Approvals
package import Ledger
import RolloutEngine
package import UpgradeDomain

/// Which runs of a plan have used which of its approvals. A run uses them with its first change.
package struct PlanUses: Sendable {
    package private(set) var claims: [Approval: [RunID]] = [:]
    package private(set) var statements: [StatementID: [RunID]] = [:]

    package init() {}

    mutating func add(_ approvals: [Approval], _ ids: [StatementID], by run: RunID) {
        for approval in approvals { claims[approval, default: []].append(run) }
        for id in Set(ids) { statements[id, default: []].append(run) }
    }

    /// The runs that have used a statement up, without one; nil while it serves another run.
    package func runs(using statement: Statement, but run: RunID? = nil) -> [RunID]? {
        let others = (statements[statement.id] ?? []).filter { $0 != run }
        return others.count >= statement.runs ? others : nil
    }
}

extension Ledger {
    /// Which runs have used which statements about a plan.
    package func statementUses(ofPlan plan: Digest) throws -> PlanUses {
        try uses(ofPlan: plan, approvals: [], statements: try statements(ofPlan: plan))
    }

    /// What the runs of a plan have used, as their events say.
    ///
    /// - Parameters:
    ///   - approvals: the claims of plans with its name.
    ///   - statements: the statements about it.
    func uses(
        ofPlan plan: Digest, approvals: [Approval], statements: [StoredStatement]
    ) throws -> PlanUses {
        var uses = PlanUses()
        for run in try runs().reversed() where run.planDigest == plan {
            if let used = try used(by: run) {
                uses.add(used.approvals, used.statements, by: run.id)
                continue
            }
            // What a run did whose record can not be read is not known: it counts as having used what there was.
            uses.add(
                approvals.filter { $0.planDigest == plan && $0.approvedAt <= run.startedAt },
                statements.filter { $0.madeAt <= run.startedAt && $0.isApproval }.map(\.id), by: run.id)
        }
        return uses
    }

    private func used(by run: RunSummary) throws -> (approvals: [Approval], statements: [StatementID])? {
        guard run.standing != .quarantined else { return nil }
        let events: [RecordedEvent]
        do throws(LedgerError) {
            events = try allEvents(of: run.id)
        } catch {
            guard error.code == .damaged || error.code == .newerSchema else { throw error }
            return nil
        }
        guard let state = RolloutState.fold(events, at: .zero) else { return nil }
        guard state.usesApprovals else { return ([], []) }
        let given = state.authority.given.map(\.statement).filter { $0.purpose == .approve }
        return (state.definition.approvals, given.map(\.id))
    }
}

extension StoredStatement {
    /// Only an approval is used up. A revocation counts for every run.
    fileprivate var isApproval: Bool { (try? Statement(signedText: signed.text))?.purpose == .approve }
}

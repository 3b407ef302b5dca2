package import Approvals
package import Ledger
import RolloutEngine
package import UpgradeDomain

/// Which runs of a plan have used which of its approvals. A run uses them with its first change. Until then an open run
/// holds its statements, so that no two runs can use one that serves one run.
package struct PlanUses: Sendable {
    package private(set) var claims: [Approval: [RunID]] = [:]
    package private(set) var statements: [StatementID: [RunID]] = [:]
    private var holders: [StatementID: [RunID]] = [:]
    /// The runs that count as having used a statement, and of which no step or rollback needed it.
    private var idle: [StatementID: Set<RunID>] = [:]

    package init() {}

    mutating func add(_ approvals: [Approval], _ ids: [StatementID], by run: RunID) {
        for approval in approvals { claims[approval, default: []].append(run) }
        for id in Set(ids) { statements[id, default: []].append(run) }
    }

    mutating func hold(_ ids: [StatementID], for run: RunID) {
        for id in Set(ids) { holders[id, default: []].append(run) }
    }

    mutating func leaveIdle(_ ids: [StatementID], in run: RunID) {
        for id in ids { idle[id, default: []].insert(run) }
    }

    /// The runs of which some step or rollback may have needed a statement.
    package func users(of id: StatementID) -> [RunID] {
        (statements[id] ?? []).filter { idle[id]?.contains($0) != true }
    }

    /// The open runs that have changed nothing yet, and hold it until then.
    package func holders(of id: StatementID) -> [RunID] { holders[id] ?? [] }

    /// Why a statement can not serve a run; nil if it can.
    ///
    /// - Parameters:
    ///   - run: the run that it is to serve; nil for one that is to come.
    ///   - predecessor: the run that it succeeds, which holds nothing from then on.
    package func problem(
        with statement: Statement, for run: RunID? = nil, succeeding predecessor: RunID? = nil
    ) -> StatementProblem? {
        let used = (statements[statement.id] ?? []).filter { $0 != run }
        guard used.count < statement.runs else { return .usedUp(runs: used) }
        let held = (holders[statement.id] ?? []).filter { $0 != run && $0 != predecessor }
        return used.count + held.count < statement.runs ? nil : .heldBy(runs: held)
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
            if let state = try state(of: run) {
                let given = state.authority.given.map(\.statement).filter { $0.purpose == .approve }.map(\.id)
                if state.usesApprovals {
                    uses.add(state.definition.approvals, given, by: run.id)
                    uses.leaveIdle(given.filter { id in !state.mayHaveNeeded(id) }, in: run.id)
                } else if run.standing == .open {
                    uses.hold(given, for: run.id)
                }
                continue
            }
            // What a run did whose record can not be read is not known: it counts as having used what there was.
            uses.add(
                approvals.filter { $0.planDigest == plan && $0.approvedAt <= run.startedAt },
                statements.filter { $0.madeAt <= run.startedAt && $0.isApproval }.map(\.id), by: run.id)
        }
        return uses
    }

    /// Nil if its record can not be read.
    private func state(of run: RunSummary) throws -> RolloutState? {
        guard run.standing != .quarantined else { return nil }
        do throws(LedgerError) {
            return RolloutState.fold(try allEvents(of: run.id), at: .zero)
        } catch {
            guard error.code == .damaged || error.code == .newerSchema else { throw error }
            return nil
        }
    }
}

extension RolloutState {
    /// Whether a change of a layer that an approval covers began while it counted.
    fileprivate func mayHaveNeeded(_ id: StatementID) -> Bool {
        guard let own = authority.given.first(where: { $0.statement.id == id })?.statement else { return false }
        return placements.all.contains { placement, state in
            own.layers.contains(placement.layer)
                && (state.attemptsBegun.values.contains {
                    $0 >= max(own.notBefore, own.issuedAt).time && $0 < own.notAfter.time
                }
                    || state.rollbacksBegun.values.contains { begun in
                        own.rollback.map { begun >= own.notBefore.time && begun < $0.until.time } ?? false
                    })
        }
    }
}

extension StoredStatement {
    /// Only an approval is used up. A revocation counts for every run.
    fileprivate var isApproval: Bool { (try? Statement(signedText: signed.text))?.purpose == .approve }
}

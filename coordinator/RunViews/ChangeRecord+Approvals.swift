import Approvals
import RolloutEngine
import SafeText
import UpgradeDomain

/// Who approved what in a run, for the record of the change.
extension ChangeRecord {
    static func approvalTables(_ state: RolloutState) -> [Table] {
        let plan = state.plan
        let given = state.authority.given
        var tables = [
            Table(
                title: "Approved by", headers: ["owner", "layers", "how", "at", "serves", "rollback until"],
                rows: state.definition.approvals.map { row(of: $0, state) }
                    + given.filter { $0.statement.purpose == .approve }.flatMap { rows(of: $0, state) },
                empty: "nobody")
        ]
        let others = given.filter { $0.statement.purpose != .approve }
        if !others.isEmpty {
            tables.append(
                Table(
                    title: "Decisions", headers: ["what", "by", "how", "issued", "valid until"],
                    rows: others.map { own in
                        [
                            own.statement.words, own.people.map(\.rawValue).joined(separator: ", "), own.how,
                            "\(own.statement.issuedAt)", "\(own.statement.notAfter)",
                        ]
                    }, empty: "none"))
        }
        if !state.overrides.isEmpty {
            tables.append(
                Table(
                    title: "Overridden guardrails", headers: ["at", "by", "what", "acknowledged by"],
                    rows: state.overrides.map { override in
                        [
                            override.at.rfc3339, "\(override.owner)", "a rollback of \(override.scope.description)",
                            override.isOpen
                                ? "nobody yet" : override.acknowledgedBy.map(\.rawValue).joined(separator: ", "),
                        ]
                    }, empty: "none"))
        }
        return tables + [
            Table(
                title: "Reviews", headers: ["review", "reference"],
                rows: plan.reviews.map { [$0.title, $0.reference] }, empty: "nothing"),
            Table(
                title: "Exclusions and waivers", headers: ["what", "by", "reason"],
                rows: plan.exclusions.map { ["host \($0.host)", "the plan", $0.reason] }
                    + plan.waivers.map { ["\($0.surface) \($0.item)", "\($0.owner)", $0.reason] }, empty: "nothing"),
        ]
    }

    private static func row(of approval: Approval, _ state: RolloutState) -> [String] {
        let layers = state.plan.layers.filter { state.definition.isOwner(approval.owner, of: $0.name) }
        return [
            "\(approval.owner)", layers.map(\.name.rawValue).joined(separator: ", "),
            claimWords(by: approval.claimedBy), approval.approvedAt.rfc3339, approval.service,
            approval.rollbackUntil?.rfc3339 ?? "not approved",
        ]
    }

    /// A row for each person.
    private static func rows(of own: GivenStatement, _ state: RolloutState) -> [[String]] {
        own.people.map { person in
            let layers = own.statement.layers.filter { state.definition.isOwner(person, of: $0) }
            let points = own.statement.holdPoints.map { "at \($0.spelled)" }
            return [
                "\(person)", (layers.map(\.rawValue) + points).joined(separator: ", "), own.how,
                "\(own.statement.issuedAt)", own.statement.service,
                own.statement.rollback.map { "\($0.until)" } ?? "not approved",
            ]
        }
    }
}

extension GivenStatement {
    /// By whose word it counts.
    package var how: String {
        signed.claim.map { claimWords(by: $0.claimedBy) } ?? "signed, statement \(statement.id.short)"
    }
}

extension Statement {
    /// How many runs it serves, and when a change may begin.
    package var service: String {
        let from = notBefore > issuedAt ? " from \(notBefore) on and" : ""
        return "\(counted(runs, "run")), changing\(from) before \(notAfter), "
            + "\(counted(attempts, "attempt")) for each host and layer"
    }
}

extension RolloutState {
    /// By which policy the run goes; nil where approvals are claims.
    var policyWords: String? {
        switch authority.basis {
        case .claims: return nil
        case .unverifiable(let words): return "it does not verify: \(words)"
        case .policy(let chain):
            let first = chain.current.version == 1 ? "" : "; version 1 has the fingerprint \(chain.fingerprint)"
            let newest = chain.signed.last.map { PolicyChain.fingerprint(of: $0.text) } ?? chain.fingerprint
            return "version \(chain.current.version), fingerprint \(newest)\(first)"
        }
    }
}

import Approvals
import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct ApprovalRevoke: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take an approval back: it counts no more, for no run.",
        discussion: """
            What is in flight ends; nothing more begins. An owner of a layer that it covers may revoke it, and somebody on
            call or a signer of the policy where a policy exists.
            Example: lockflight approval revoke 1a2b3c4d --as ana
            """)

    /// A revocation must outlive what it revokes.
    static let validSeconds = 10 * 366 * 86_400

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The statement's id, or its first digits.") var id: String
    @Option(name: .customLong("as"), help: "Who revokes it.") var owner: String
    @OptionGroup var signing: KeyOption

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let stored = try await ledger.statement(matching: id)
        let inventory = try await context.inventory(of: ledger)
        let revoked = try Statement(signedText: stored.signed.text)
        guard let digest = stored.plan, revoked.purpose != .revoke else {
            throw CommandError(
                .refused, "\(stored.id.short) is a revocation itself", consequence: "Nothing was recorded.",
                next: .listApprovals)
        }
        let plan = try await ledger.plan(matching: digest.rawValue)
        let judged = try await ledger.judgedStatements(
            of: plan, over: inventory, starter: nil, at: Context.clock.wall())
        let book = try await ledger.statementBook(ofPlan: digest, at: Context.clock.wall())
        if case .revoked(let earlier)? = book.entries.first(where: { $0.statement.id == revoked.id })?.standing {
            throw CommandError(
                .refused, "\(stored.id.short) is revoked already, by \(earlier.short)",
                consequence: "Nothing was recorded.", next: .showApproval(id: earlier, prints: false))
        }
        let statement = revocation(of: revoked, policy: judged.authority.policy?.version ?? 0)
        let desk = StatementDesk(context: context, ledger: ledger)
        let outcome: StatementDesk.Outcome
        if judged.isSigned {
            outcome = try await desk.sign(
                statement, stored.signed.leaves, by: [Owner(owner)], key: signing.key, before: judged.authority)
        } else {
            outcome = try claimed(statement, stored, judged.authority, context)
        }
        try await desk.store(outcome.signed, statement)
        guard outcome.absent.isEmpty else {
            return CommandResult(
                lines: ["the revocation is not signed yet: no key of \(owner) is at hand; sign it where the key is:"]
                    + desk.elsewhere(statement), document: StatementFile(outcome.signed, statement), status: .held)
        }
        let runs = try await SignedRuns.present(context, ledger, ofPlan: digest)
        return CommandResult(
            lines: ["\(stored.id.short), \(revoked.words), is revoked by \(owner)"] + SignedRuns.lines(runs),
            document: StatementFile(outcome.signed, statement), next: [.listApprovals])
    }

    private func revocation(of revoked: Statement, policy: Int) -> Statement {
        let now = Context.clock.wall()
        var statement = Statement(
            .revoke, .revoke, id: .random(), ledger: revoked.ledger, policy: policy, plan: revoked.plan,
            planName: revoked.planName, hostsRoot: revoked.hostsRoot, hosts: revoked.hosts, layers: revoked.layers,
            issuedAt: now, notAfter: now.advanced(bySeconds: ApprovalRevoke.validSeconds))
        statement.releases = revoked.releases
        statement.revokes = revoked.id
        return statement
    }

    private func claimed(
        _ statement: Statement, _ stored: StoredStatement, _ authority: Authority, _ context: Context
    ) throws -> StatementDesk.Outcome {
        let claim = StatementClaim(owner: Owner(owner), claimedBy: context.user)
        let signed = SignedStatement(
            text: try statement.signedText(), claim: claim, leaves: stored.signed.leaves)
        var tried = authority
        do {
            try tried.take(signed)
        } catch {
            throw CommandError(
                .refused, "it can not be revoked: \(Authority.words(of: error))",
                consequence: "Nothing was recorded. Its layers are owned by "
                    + "\(Set(statement.layers.flatMap { authority.scope.owners[$0] ?? [] }).sorted().map(\.rawValue).joined(separator: ", ")).",
                next: .showApproval(id: stored.id, prints: false))
        }
        return StatementDesk.Outcome(statement: statement, signed: signed, people: [claim.owner], absent: [])
    }
}

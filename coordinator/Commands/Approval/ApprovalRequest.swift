import Approvals
import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct ApprovalRequest: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Write the text that a person signs elsewhere, and keep it.",
        discussion: """
            The text is what is signed, byte by byte: no line end follows it. With --print it goes to standard output, and
            nothing else does. Sign it on any machine, without the ledger and without this program:

              lockflight approval request upgrade-1.5.0 --print > a.json
              ssh-keygen -Y sign -n approve.v1@lockflight -f KEY a.json
              lockflight approval add a.json.sig

            Whoever signs on another machine compares the key "plan" of the text with the digest that `plan show`
            prints where the ledger is, read over another channel; or with what `plan check FILE` prints for the
            plan's own file. The digest is what the signature is bound to: the name beside it is only for people.

            A plan is approved for a run of it. With --run, a decision about a run is approved: --for says which.
            Example: lockflight approval request upgrade-1.5.0 --print
            Example: lockflight approval request --run r-7k3fq2 \\
              --for rollback --layer core --out a.json
            """)

    /// What may be approved about a run.
    enum Decision: String, CaseIterable, ExpressibleByArgument {
        case rerun, rollback, retire, finalize, acknowledge
        case signOff = "sign-off"
        case breakGlass = "break-glass"
    }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var plan: String?
    @OptionGroup var target: RunOption
    @Option(name: .customLong("for"), help: "The decision about the run.") var decision: Decision?
    @Option(name: .long, help: "A host that the decision is about; repeat for several.") var host: [String] = []
    @Flag(name: .long, help: "A rollback of everything that the run touched.") var all = false
    @Option(name: .long, help: "The first step that may run again.") var from: String?
    @OptionGroup var terms: ApprovalTerms
    @Flag(name: .long, help: "Print the text and nothing else.") var print = false
    @Option(name: .long, help: "Write the text to this file.", completion: .file()) var out: String?

    func validate() throws {
        guard !(print && options.json) else {
            throw ValidationError(
                "--print prints the text that is signed and nothing else: leave out --json, or take /text of --json "
                    + "without --print")
        }
        guard (plan == nil) != (decision == nil) else {
            throw ValidationError("name a plan, or a decision about a run with --for")
        }
        guard plan == nil || (target.run == nil && host.isEmpty && !all && from == nil) else {
            throw ValidationError("--run, --host, --all and --from are about a run, and need --for")
        }
        if let decision { try validate(decision) }
    }

    private func validate(_ decision: Decision) throws {
        let scopes = (host.isEmpty ? 0 : 1) + (terms.layer.isEmpty ? 0 : 1) + (all ? 1 : 0)
        switch decision {
        case .rollback, .breakGlass:
            guard scopes == 1, host.count <= 1, terms.layer.count <= 1 else {
                throw ValidationError("choose one of --host, --layer and --all")
            }
        case .rerun, .retire:
            guard host.count == 1 else { throw ValidationError("name one host with --host") }
        case .signOff:
            guard !host.isEmpty else { throw ValidationError("name the hosts with --host") }
        case .finalize, .acknowledge:
            guard scopes == 0 else { throw ValidationError("it is about the whole run") }
        }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let (statement, leaves, ledger) = try await made(context)
        let desk = StatementDesk(context: context, ledger: ledger)
        let signed = SignedStatement(text: try statement.signedText(), leaves: leaves)
        try await desk.store(signed, statement)
        return try Self.result(signed, statement, desk, prints: print, out: out)
    }

    /// The statement, the leaves of the hosts that it covers, and the ledger that keeps it.
    private func made(_ context: Context) async throws -> (Statement, [HostName: Digest], Ledger) {
        let now = Context.clock.wall()
        if let plan {
            let ledger = try await context.ledger()
            let inventory = try await context.inventory(of: ledger)
            let stored = try await ledger.plan(matching: plan)
            try stored.requireStartable(over: inventory, consequence: "Nothing was written.")
            let judged = try await ledger.judgedStatements(of: stored, over: inventory, starter: nil, at: now)
            guard let policy = judged.authority.policy else {
                throw Self.unsigned(judged.authority, .approvePlan(plan: stored.digest.short, owner: nil))
            }
            let statement = try terms.statement(
                approving: stored, judged.leaves, in: ledger.id, policy: policy.version, now: now)
            return (statement, judged.leaves, ledger)
        }
        let control = try await context.control(target)
        _ = try await control.presentNews()
        let state = try await control.state()
        guard state.isSigned else {
            throw Self.unsigned(state.authority, .status(run: control.run))
        }
        let hours = min(terms.validHours ?? 24, 168)
        let statement =
            action.map {
                state.statement(
                    for: $0, id: .random(), issuedAt: now,
                    validForSeconds: decision == .breakGlass ? Int(Authority.breakGlassSeconds) : hours * 3_600)
            } ?? state.acknowledgement(id: .random(), issuedAt: now, validForSeconds: hours * 3_600)
        if let action, let refusal = state.refusal(of: action) {
            throw CommandError(refusal, of: action, in: state, at: now, consequence: "Nothing was written")
        }
        guard let statement else {
            throw CommandError(
                .refused, "\(control.run) asks for no such approval now", consequence: "Nothing was written.",
                next: .status(run: control.run))
        }
        return (statement, state.leaves(of: statement.named ?? []), control.ledger)
    }

    private static func unsigned(_ authority: Authority, _ next: OperatorCommand) -> CommandError {
        CommandError(
            .refused, authority.unverifiable ?? "no policy asks for signatures, so approvals are claims",
            consequence: "Nothing was written.", next: next)
    }

    private var scope: RollbackScope {
        if let host = host.first { return .host(name: HostName(host)) }
        return terms.layer.first.map { .layer(name: LayerName($0)) } ?? .all
    }

    /// Nil for an acknowledgement, which requests nothing.
    private var action: RequestedAction? {
        switch decision {
        case .rerun:
            .rerun(host: HostName(host.first ?? ""), signedOffBy: "owner", from: from.map { StepName($0) })
        case .rollback: .rollback(scope: scope, breakGlass: nil)
        // Whoever signs it is named by the signature.
        case .breakGlass: .rollback(scope: scope, breakGlass: "owner")
        case .retire: .retire(host: HostName(host.first ?? ""), owner: "owner")
        case .signOff: .signOff(hosts: host.map { HostName($0) }, owner: "owner")
        case .finalize: .finalize
        case .acknowledge, nil: nil
        }
    }

    /// The text of a statement: alone on standard output, in a file, or shown with how to sign it.
    static func result(
        _ signed: SignedStatement, _ statement: Statement, _ desk: StatementDesk, prints: Bool, out: String?
    ) throws -> CommandResult {
        if let out {
            try desk.context.write(
                signed.text, to: out, replacing: true,
                consequence: "The statement \(statement.id.short) is kept, and has no signature yet.",
                next: .showApproval(id: statement.id, prints: true))
        }
        var result = CommandResult(
            lines: ["\(statement.words), until \(statement.notAfter): statement \(statement.id.short)", ""]
                + signed.text.pieces(ofBytes: 100).map { "  \($0)" } + ["", "sign it where the key is:"]
                + desk.elsewhere(statement), document: StatementFile(signed, statement))
        if let out { result.remarks = ["written to \(out)"] }
        if prints { result.exactText = signed.text }
        return result
    }
}

extension String {
    /// An ASCII text cut into pieces for display.
    fileprivate func pieces(ofBytes count: Int) -> [String] {
        var rest = utf8[...]
        var pieces: [String] = []
        while !rest.isEmpty {
            pieces.append(String(decoding: rest.prefix(count), as: UTF8.self))
            rest = rest.dropFirst(count)
        }
        return pieces
    }
}

import Approvals
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

/// What people sign for a run, or claim at its hold points.
extension RunControl {
    /// How long what is signed together with a request is valid.
    static let immediateSeconds = 3_600

    /// Records what the ledger has for the run and the run lacks: newer versions of its policy, and statements that count.
    ///
    /// - Returns: whether anything was recorded.
    func presentNews() async throws -> Bool {
        let statements = try await ledger.statements(ofPlan: plan)
        let policies = try await ledger.policies()
        guard !statements.isEmpty || !policies.isEmpty else { return false }
        guard try await ledger.quarantine(of: run) == nil else { return false }
        for _ in 0..<RunControl.requestAttempts {
            let state = try await state()
            let events = try await news(for: state, statements, policies)
            if events.isEmpty { return false }
            switch try await log.append(events, with: [], to: state, at: Context.clock.wall(), epoch: nil) {
            case .appended: return true
            case .conflict, .deposed: continue
            }
        }
        throw RuntimeError.appendStarved(run)
    }

    private func news(
        for state: RolloutState, _ statements: [StoredStatement], _ policies: [StoredPolicy]
    ) async throws -> [RunEvent] {
        guard !state.isClosed else { return [] }
        let version = state.authority.policy?.version
        let newer = policies.filter { policy in version.map { policy.version > $0 } ?? false }.map(\.signed)
        let now = Context.clock.wall()
        let lacking = statements.filter { own in
            guard own.signed.claim != nil || !own.signed.signatures.isEmpty else { return false }
            let known = state.authority.given.first { $0.statement.id == own.id }?.signed
            return known.map { !Set(own.signed.signatures).isSubset(of: $0.signatures) } ?? true
        }
        guard !newer.isEmpty || !lacking.isEmpty else { return [] }
        let uses = try await ledger.statementUses(ofPlan: plan)
        var tried = state
        var events: [RunEvent] = []
        func present(_ signed: SignedStatement) {
            let request = Request(action: .present(signed), by: context.user)
            guard tried.refusal(of: request.action) == nil else { return }
            events.append(.requested(request))
            tried.apply(.requested(request), by: now)
        }
        for policy in newer { present(policy) }
        for own in lacking {
            guard let statement = try? Statement(signedText: own.signed.text), statement.mayCount(at: now),
                // A run that waits for nothing leaves the approval to the run that is to come.
                statement.purpose != .approve || state.wait != nil,
                statement.purpose != .approve || uses.problem(with: statement, for: run) == nil
            else { continue }
            present(own.signed)
        }
        return events
    }

    // MARK: With a request

    /// Lets people sign what a request still needs, and records it. Does nothing where claims count, or nothing is missing.
    ///
    /// - Parameters:
    ///   - people: in whose names it is signed.
    ///   - key: the file with the key; nil for the ssh-agent.
    func signMissing(for action: RequestedAction, by people: [Owner], key: String?) async throws {
        let state = try await state()
        guard state.isSigned else {
            guard key == nil else {
                throw CommandError(
                    .usage, "no policy rules \(run), so nothing is signed", consequence: "Nothing was recorded.",
                    next: .status(run: run))
            }
            return
        }
        guard !people.isEmpty, state.refusal(of: action) == nil,
            !state.layersWithoutApproval(for: action, at: Context.clock.wall()).isEmpty
        else { return }
        let outcome = try await sign(action, in: state, by: people, key: key, forSeconds: RunControl.immediateSeconds)
        guard outcome.people.isEmpty else { return }
        throw noKey(of: outcome.absent, for: action, state)
    }

    private func noKey(of people: [Owner], for action: RequestedAction, _ state: RolloutState) -> CommandError {
        let names = people.map(\.rawValue).joined(separator: ", ")
        return CommandError(
            .refused, "no key of \(names) is at hand: the ssh-agent has none, and --key names none",
            consequence: "Nothing was recorded. Let it be signed where the key is.",
            next: .permit(action, run: run, owner: people.first))
    }

    /// Makes the statement that permits a request, lets people sign it, stores it and records it in the run.
    private func sign(
        _ action: RequestedAction, in state: RolloutState, by people: [Owner], key: String?, forSeconds seconds: Int
    ) async throws -> StatementDesk.Outcome {
        guard
            let statement = state.statement(
                for: action, id: .random(), issuedAt: Context.clock.wall(),
                validForSeconds: RunControl.seconds(seconds, for: action))
        else {
            throw CommandError(.refused, "\(action.sentence) needs no approval", next: .status(run: run))
        }
        return try await sign(statement, in: state, by: people, key: key)
    }

    private static func seconds(_ asked: Int, for action: RequestedAction) -> Int {
        if case .rollback(_, .some) = action { return min(asked, Int(Authority.breakGlassSeconds)) }
        return asked
    }

    private func sign(
        _ statement: Statement, in state: RolloutState, by people: [Owner], key: String?
    ) async throws -> StatementDesk.Outcome {
        let desk = StatementDesk(context: context, ledger: ledger)
        let leaves = state.leaves(of: statement.named ?? [])
        let outcome = try await desk.sign(statement, leaves, by: people, key: key, before: state.authority)
        guard !outcome.people.isEmpty else { return outcome }
        try await desk.store(outcome.signed, statement)
        _ = try await presentNews()
        return outcome
    }

    // MARK: Beforehand

    /// Approves a request that somebody else makes later: signed where a policy rules the run, else claimed.
    ///
    /// - Parameters:
    ///   - owner: in whose name.
    ///   - key: the file with the key; nil for the ssh-agent.
    ///   - hours: how long a signed approval is valid.
    ///   - reason: recorded with a claim.
    func permit(
        _ action: RequestedAction, by owner: Owner, key: String?, hours: Int, reason: String?
    ) async throws -> CommandResult {
        _ = try await presentNews()
        let state = try await state()
        guard state.isSigned else {
            guard key == nil else {
                throw CommandError(
                    .usage, "no policy rules \(run), so nothing is signed", consequence: "Nothing was recorded.",
                    next: .status(run: run))
            }
            return try await approve(action, by: owner, reason: reason)
        }
        let asked = action.signedOff(by: owner)
        if let refusal = state.refusal(of: asked) {
            throw CommandError(
                refusal, of: asked, in: state, at: Context.clock.wall(), consequence: "Nothing was recorded")
        }
        let outcome = try await sign(asked, in: state, by: [owner], key: key, forSeconds: hours * 3_600)
        return try await result(of: outcome, for: asked)
    }

    private func result(
        of outcome: StatementDesk.Outcome, for action: RequestedAction?
    ) async throws -> CommandResult {
        let statement = outcome.statement
        let names = outcome.people.map(\.rawValue).joined(separator: ", ")
        if outcome.people.isEmpty {
            let desk = StatementDesk(context: context, ledger: ledger)
            try await desk.store(outcome.signed, statement)
            return CommandResult(
                lines: [
                    "\(statement.words) is not signed yet: no key of \(outcome.absent.map(\.rawValue).joined(separator: ", ")) is at hand",
                    "sign the statement \(statement.id.short) where the key is:",
                ] + desk.elsewhere(statement), document: StatementFile(outcome.signed, statement), status: .held)
        }
        let after = try await state()
        let now = Context.clock.wall()
        var lines: [TerminalText] = [
            "\(statement.words): signed by \(names) (statement \(statement.id.short)), valid until \(statement.notAfter)"
        ]
        if let action, let refusal = after.refusal(of: Request(action: action, by: context.user, reason: "-"), at: now)
        {
            lines.append("still missing: \(refusal.message)")
        }
        return CommandResult(
            lines: lines.flatMap { $0.wrapped(to: context.width, indent: 2) },
            document: StatementFile(outcome.signed, statement), next: after.nextCommands(at: now).map(\.command))
    }

    /// Says in an owner's name that they have seen every override of guardrails.
    func acknowledge(by owner: Owner, key: String?) async throws -> CommandResult {
        _ = try await presentNews()
        let state = try await state()
        let now = Context.clock.wall()
        guard let statement = state.acknowledgement(id: .random(), issuedAt: now, validForSeconds: 3_600) else {
            throw CommandError(
                .refused, "no override of guardrails in \(run) waits for it", consequence: "Nothing was recorded.",
                next: .status(run: run))
        }
        if let refusal = state.acknowledgementRefusal(by: owner) {
            throw CommandError(
                .refused, refusal.message, consequence: "Nothing was recorded.", next: refusal.next ?? .status(run: run)
            )
        }
        if state.isSigned {
            return try await result(of: try await sign(statement, in: state, by: [owner], key: key), for: nil)
        }
        let claim = StatementClaim(owner: owner, claimedBy: context.user)
        let signed = SignedStatement(
            text: try statement.signedText(), claim: claim, leaves: state.leaves(of: statement.named ?? []))
        if let refusal = state.refusal(of: .present(signed)) {
            throw CommandError(
                refusal, of: .present(signed), in: state, at: now, consequence: "Nothing was recorded")
        }
        try await StatementDesk(context: context, ledger: ledger).store(signed, statement)
        _ = try await presentNews()
        return CommandResult(
            lines: ["\(statement.words) is recorded: \(claim.words)"], document: StatementFile(signed, statement),
            next: try await self.state().nextCommands(at: now).map(\.command))
    }
}

extension RequestedAction {
    /// A signed approval of a rerun is the sign-off of steps that are not declared idempotent as well.
    fileprivate func signedOff(by owner: Owner) -> RequestedAction {
        guard case .rerun(let host, nil, let step) = self else { return self }
        return .rerun(host: host, signedOffBy: owner, from: step)
    }
}

extension RolloutState {
    /// Applies a request that is not recorded yet.
    fileprivate mutating func apply(_ event: RunEvent, by wall: WallTime) {
        apply(
            RecordedEvent(sequence: sequence + 1, recordedAt: wall, event: event, hash: chainHead),
            at: Context.clock.monotonic())
    }
}

extension Statement {
    /// Whether it can still count for anything.
    fileprivate func mayCount(at now: WallTime) -> Bool {
        now < notAfter.time || (rollback.map { now < $0.until.time } ?? false)
    }
}

/// A statement for `--json`: what is signed, and the signatures that it has.
struct StatementFile: Encodable {
    var id: StatementID
    var purpose: String
    /// What a signature is made for: `ssh-keygen -Y sign -n NAMESPACE`.
    var namespace: String
    var what: String
    var text: String
    var signatures: [String]
    var claim: StatementClaim?

    init(_ signed: SignedStatement, _ statement: Statement) {
        id = statement.id
        purpose = statement.purpose.rawValue
        namespace = statement.purpose.namespace
        what = statement.words
        text = signed.text
        signatures = signed.signatures
        claim = signed.claim
    }
}

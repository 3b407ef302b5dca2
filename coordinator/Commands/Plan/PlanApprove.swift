import Approvals
import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import Ledger
import OperatorCommands
import PlanFiles
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct PlanApprove: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approve exactly this plan for exactly these hosts.",
        discussion: """
            The approval serves one run. The run uses it with its first change, which must start in time; a run that changes
            nothing does not use it up. For a limited time it also covers a rollback to the declared boundary, so that nobody
            has to be woken up to approve one. --at opens a hold point of the plan: a run that waits there goes on.

            Where a policy exists, the approval is signed with --key, with a key that the ssh-agent holds, or elsewhere by the
            commands that are printed. What is signed is shown first: how the plan differs from the last one of that
            name that was approved, and for what, from when until when and how often it counts. It is bound to the plan and to everything that may run on the selected hosts.
            Without a policy it is a claim of the operating-system user, bound to the digests of the plan and of the selected
            hosts: a change to either voids it.
            Example: lockflight plan approve upgrade-1.5.0 --as ana
            Example: lockflight plan approve upgrade-1.5.0 \\
              --as ana --at core --key ~/.ssh/id_ed25519
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var plan: String
    @Option(name: .customLong("as"), help: "The owner who approves; repeat for several.")
    var owners: [String]
    @OptionGroup var terms: ApprovalTerms
    @OptionGroup var signing: KeyOption

    func validate() throws {
        guard !owners.isEmpty else { throw ValidationError("name the owner who approves: --as OWNER") }
    }

    private var people: [Owner] { Set(owners.map { Owner($0) }).sorted() }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan)
        let judged = try await ledger.judgedStatements(
            of: stored, over: inventory, starter: nil, at: Context.clock.wall())
        if let state = try await runByClaims(of: stored, judged, context, ledger) {
            // It was started before the policy, and goes on by its own rules.
            try await requireOwners(of: stored, inventory, ledger)
            return try await claimed(
                stored, inventory, state.authority, state.leaves(of: state.definition.hosts.map(\.name)), context,
                ledger)
        }
        if judged.isSigned { return try await signed(stored, inventory, judged, context, ledger) }
        guard signing.key == nil else {
            throw CommandError(
                .usage, "no policy says whose signatures count, so approvals are claims",
                consequence: "Nothing was approved. Leave out --key.")
        }
        try await requireOwners(of: stored, inventory, ledger)
        try stored.requireStartable(over: inventory, consequence: "Nothing was approved.")
        if !terms.at.isEmpty {
            let leaves = try HostLeaves(of: stored.plan, over: stored.plan.selectedHosts(of: inventory)).digests()
            return try await claimed(stored, inventory, judged.authority, leaves, context, ledger)
        }
        if let option = terms.beyondClaim {
            throw CommandError(
                .usage, "\(option) needs a policy, or a hold point with --at", consequence: "Nothing was approved.")
        }
        return try await claimed(stored, inventory, context, ledger)
    }

    // MARK: Claims

    private func requireOwners(of stored: StoredPlan, _ inventory: FleetInventory, _ ledger: Ledger) async throws {
        let entitled = stored.plan.layers.flatMap { layer in
            inventory.layers.first { $0.name == layer.name }?.owners ?? []
        }
        guard let stranger = owners.first(where: { !entitled.contains(Owner($0)) }) else { return }
        throw CommandError(
            .refused, "'\(stranger)' owns no layer of \(stored.plan.name)",
            consequence: "Nothing was approved. Its layers are owned by "
                + Set(entitled).sorted().map(\.rawValue).joined(separator: ", ") + ".",
            next: stored.nextCommand(
                try await ledger.approvals(of: stored, over: inventory, at: Context.clock.wall()).standing,
                over: inventory))
    }

    private func claimed(
        _ stored: StoredPlan, _ inventory: FleetInventory, _ context: Context, _ ledger: Ledger
    ) async throws -> CommandResult {
        let now = Context.clock.wall()
        let hosts = stored.plan.selectedHosts(of: inventory)
        let hostsDigest = try Digest.canonical(of: hosts)
        let approvals = people.map { owner in
            Approval(
                owner: owner, planDigest: stored.digest, hostsDigest: hostsDigest, claimedBy: context.user,
                approvedAt: now, rollbackUntil: terms.rollbackUntil(now), runs: terms.runs, until: terms.until(now))
        }
        for approval in approvals { try await ledger.approve(approval) }
        let standing = try await ledger.approvals(of: stored, over: inventory, at: now).standing
        return CommandResult(
            lines: [
                "\(stored.plan.name) \(stored.digest.short) over \(counted(hosts.count, "host")): approved by "
                    + "\(approvals.map(\.owner.rawValue).joined(separator: ", ")) (\(claimWords(by: context.user)))"
            ] + termLines(now), document: approvals.count == 1 ? approvals[0] : approvals,
            next: [try await ledger.nextCommand(for: stored, standing, over: inventory)])
    }

    /// A claim that opens hold points: a statement without a signature for each owner.
    private func claimed(
        _ stored: StoredPlan, _ inventory: FleetInventory, _ authority: Authority, _ leaves: [HostName: Digest],
        _ context: Context, _ ledger: Ledger
    ) async throws -> CommandResult {
        let now = Context.clock.wall()
        let desk = StatementDesk(context: context, ledger: ledger)
        var made: [(signed: SignedStatement, statement: Statement)] = []
        for owner in people {
            let statement = try terms.statement(approving: stored, leaves, in: ledger.id, policy: 0, now: now)
            let signed = SignedStatement(
                text: try statement.signedText(), claim: StatementClaim(owner: owner, claimedBy: context.user),
                leaves: leaves)
            var tried = authority
            do {
                try tried.take(signed)
            } catch {
                throw CommandError(
                    .refused, "the approval by \(owner) does not count: \(Authority.words(of: error))",
                    consequence: "Nothing was approved.", next: .showPlan(plan: stored.digest.short))
            }
            made.append((signed, statement))
        }
        for (signed, statement) in made { try await desk.store(signed, statement) }
        let runs = try await SignedRuns.present(context, ledger, ofPlan: stored.digest)
        let standing = try await ledger.approvals(of: stored, over: inventory, at: now).standing
        let first = made[0].statement
        let waits = try await SignedRuns.waits(
            after: made.map(\.statement), by: people, recordedIn: runs, context, ledger, ofPlan: stored.digest)
        return CommandResult(
            lines: [
                "\(stored.plan.name) \(stored.digest.short) at \(first.holdPoints.map(\.spelled).joined(separator: ", ")): "
                    + "approved by \(people.map(\.rawValue).joined(separator: ", ")) (\(claimWords(by: context.user)))"
            ] + termLines(now) + SignedRuns.lines(runs)
                + wrapped(waits.lines + standing.missingLines(unlessIn: runs), context),
            document: made.map { StatementFile($0.signed, $0.statement) },
            next: try await next(waits, runs, stored, standing, inventory, ledger))
    }

    /// The open run of the plan that goes by claims although a policy exists, because it was started before.
    private func runByClaims(
        of stored: StoredPlan, _ judged: PlanStatements, _ context: Context, _ ledger: Ledger
    ) async throws -> RolloutState? {
        guard judged.isSigned, !terms.at.isEmpty, signing.key == nil else { return nil }
        for run in try await ledger.runs() where run.standing == .open && run.planDigest == stored.digest {
            let state = try await RunControl(context, ledger, run: run.id.rawValue).state()
            if !state.isSigned { return state }
        }
        return nil
    }

    // MARK: Signatures

    private func signed(
        _ stored: StoredPlan, _ inventory: FleetInventory, _ judged: PlanStatements, _ context: Context,
        _ ledger: Ledger
    ) async throws -> CommandResult {
        let now = Context.clock.wall()
        try stored.requireStartable(over: inventory, consequence: "Nothing was approved.")
        let statement = try terms.statement(
            approving: stored, judged.leaves, in: ledger.id, policy: judged.authority.policy?.version ?? 0, now: now)
        let shown = try await PlanToSign(stored, inventory, ledger).lines(context)
        Renderer.writeError(shown)
        let desk = StatementDesk(context: context, ledger: ledger)
        let outcome = try await desk.sign(
            statement, judged.leaves, by: people, key: signing.key, before: judged.authority)
        try await desk.store(outcome.signed, statement)
        let runs = try await SignedRuns.present(context, ledger, ofPlan: stored.digest)
        let standing = try await ledger.approvals(of: stored, over: inventory, at: now).standing
        var lines: [TerminalText] = []
        if !outcome.people.isEmpty {
            let points = statement.holdPoints.map(\.spelled).joined(separator: ", ")
            lines = [
                "\(stored.plan.name) \(stored.digest.short) over \(counted(statement.hosts, "host")): approved by "
                    + "\(outcome.people.map(\.rawValue).joined(separator: ", ")) (signed, statement \(statement.id.short))"
                    + (points.isEmpty ? "" : ", at \(points)")
            ]
            lines += signedTermLines(now)
            lines += SignedRuns.lines(runs)
        }
        if !outcome.absent.isEmpty {
            lines.append(
                "not signed by \(outcome.absent.map(\.rawValue).joined(separator: ", ")): no key of theirs is at hand; "
                    + "sign the statement \(statement.id.short) where it is:")
            lines += desk.elsewhere(statement)
        }
        let waits =
            outcome.people.isEmpty
            ? SignedRuns.Waits()
            : try await SignedRuns.waits(
                after: [statement], by: outcome.people, recordedIn: runs, context, ledger, ofPlan: stored.digest)
        let next = try await next(waits, runs, stored, standing, inventory, ledger)
        return CommandResult(
            lines: lines + wrapped(waits.lines + standing.missingLines(unlessIn: runs), context),
            document: StatementFile(outcome.signed, statement),
            status: outcome.absent.isEmpty ? .verified : .held, next: outcome.absent.isEmpty ? next : [])
    }

    private func wrapped(_ lines: [TerminalText], _ context: Context) -> [TerminalText] {
        lines.flatMap { $0.wrapped(to: context.width, indent: 2) }
    }

    private func next(
        _ waits: SignedRuns.Waits, _ runs: [RunID], _ stored: StoredPlan, _ standing: ApprovalStanding,
        _ inventory: FleetInventory, _ ledger: Ledger
    ) async throws -> [OperatorCommand] {
        if !waits.next.isEmpty { return waits.next }
        if let run = runs.first { return [.status(run: run)] }
        return [try await ledger.nextCommand(for: stored, standing, over: inventory)]
    }

    /// A signed approval is judged again before every step.
    private func signedTermLines(_ now: WallTime) -> [TerminalText] {
        ["it serves \(counted(terms.runs, "run")), of which every step begins before \(terms.until(now).rfc3339)"]
            + termLines(now).dropFirst()
    }

    private func termLines(_ now: WallTime) -> [TerminalText] {
        [
            "it serves \(counted(terms.runs, "run")) whose first change starts before \(terms.until(now).rfc3339)",
            terms.rollbackUntil(now).map { "it covers a rollback until \($0.rfc3339)" as TerminalText }
                ?? "it does not cover a rollback, which needs its own approval",
        ]
    }
}

/// What a person is asked to sign: how it differs from the last approved plan of that name; else all of it.
private struct PlanToSign {
    private let stored: StoredPlan
    private let inventory: FleetInventory
    private let before: StoredPlan?

    init(_ stored: StoredPlan, _ inventory: FleetInventory, _ ledger: Ledger) async throws {
        self.stored = stored
        self.inventory = inventory
        let signed = try await ledger.statements().last { own in
            guard own.plan != stored.digest, !own.signed.signatures.isEmpty || own.signed.claim != nil,
                let statement = try? Statement(signedText: own.signed.text)
            else { return false }
            return statement.purpose == .approve && statement.planName == stored.plan.name
        }?.plan
        let claimed = try await ledger.approvals(ofPlansNamed: stored.plan.name)
            .last { $0.planDigest != stored.digest }?.planDigest
        if let digest = signed ?? claimed {
            before = try await ledger.plan(matching: digest.rawValue)
        } else {
            before = nil
        }
    }

    func lines(_ context: Context) throws -> [TerminalText] {
        guard let before else {
            return PlanSequence(plan: stored.plan, inventory: inventory, digest: stored.digest, standing: nil)
                .lines(context) + [""]
        }
        let changes = try PlanDifference(from: before.plan, to: stored.plan).lines(context.style)
        return [
            context.style.bold("\(stored.plan.name) \(stored.digest.short)")
                + ", since \(before.digest.short), which was approved last:"
        ] + changes.map { "  " + $0 } + [""]
    }
}

extension Ledger {
    /// The next command toward a run of a plan, or toward the open run that has one of its hosts.
    func nextCommand(
        for stored: StoredPlan, _ standing: ApprovalStanding, over inventory: FleetInventory
    ) throws -> OperatorCommand {
        let command = stored.nextCommand(standing, over: inventory)
        guard case .start = command,
            let holder = try holder(ofOneOf: stored.plan.selectedHosts(of: inventory).map(\.name))
        else { return command }
        return .status(run: holder)
    }
}

extension StoredPlan {
    /// The next command toward a run: a correction if it can not start, else an approval that is missing, else the
    /// start.
    func nextCommand(_ standing: ApprovalStanding, over inventory: FleetInventory) -> OperatorCommand {
        guard plan.startProblems(over: inventory, at: Context.clock.wall()).isEmpty else { return correction }
        guard let open = standing.layers.first(where: { !$0.verdict.letsStart }) else {
            return .start(plan: plan.name, succeeds: nil)
        }
        switch open.verdict {
        case .releaseLacking: return .addPlan(file: nil)
        // Whoever signs, it is not enough: the policy is wrong, or gone.
        case .lacking(_, let asked) where asked.isEmpty:
            return standing.policy == 0 ? .verifyLedger(file: nil) : .initPolicy(file: nil)
        case .approved, .void, .used, .ended, .missing, .signed, .lacking, .atHoldPoint:
            return .approvePlan(plan: digest.short, owner: open.asked)
        }
    }

    /// Refuses a plan that breaks today's rules, because an older build stored it or the inventory has changed since.
    /// It can still be shown and rolled back, but no new run of it starts.
    func requireStartable(over inventory: FleetInventory, consequence: String) throws(CommandError) {
        let problems = plan.startProblems(over: inventory, at: Context.clock.wall())
        guard let first = problems.first else { return }
        let more = problems.count > 1 ? ", and \(problems.count - 1) more" : ""
        throw CommandError(
            .refused, "the plan \(digest.short) can not run on this inventory: \(first)\(more)",
            consequence: consequence,
            next: correction)
    }

    /// What must be imported so that it can start: another plan if the plan itself is wrong, else another inventory.
    private var correction: OperatorCommand {
        plan.isStartableOverAnother(at: Context.clock.wall()) ? .importInventory(file: nil) : .addPlan(file: nil)
    }
}

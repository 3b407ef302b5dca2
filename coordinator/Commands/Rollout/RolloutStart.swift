import Approvals
import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunRecord
import RunViews
import UpgradeDomain

struct RolloutStart: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a run of an approved plan and drive it in the foreground.",
        discussion: """
            Ctrl-C stops starting new work and lets operations in flight finish; `rollout resume` continues.
            With --succeeds the run takes over from the run of a wrong plan. It inherits the baselines. Hosts that are
            already at the target are verified and adopted instead of changed again.
            Example: lockflight rollout start upgrade-1.5.0 --watch
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var plan: String
    @Flag(name: .long, help: "Show the live view. This is the default on a terminal.") var watch = false
    @Option(name: .long, help: "The run that this one supersedes.") var succeeds: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan)
        let predecessor = try await predecessorState(context, ledger)
        let approvals = try await ledger.approvals(
            of: stored, over: inventory, startedBy: context.user, succeeding: predecessor?.definition.run,
            at: Context.clock.wall())
        try stored.requireStartable(over: inventory, consequence: "Nothing was started.")
        guard approvals.standing.isComplete else {
            throw unapproved(stored, approvals.standing, inventory, try await openRun(of: stored, in: ledger))
        }
        let hosts = stored.plan.selectedHosts(of: inventory)
        try requireTakeover(of: predecessor, by: approvals.standing, of: stored, over: hosts)
        if let bare = hosts.first(where: \.hostKeys.isEmpty) {
            throw CommandError(
                .refused, "\(bare.name) has no pinned host key", consequence: "Nothing was started.",
                next: .trustKeys(hosts: [bare.name]))
        }
        let hostsDigest = try Digest.canonical(of: hosts)
        let definition = RunDefinition(
            run: RunID.random(), ledger: ledger.id, plan: stored.plan, planDigest: stored.digest, hosts: hosts,
            hostsDigest: hostsDigest, approvals: approvals.usable, owners: approvals.statements.authority.scope.owners,
            succession: predecessor.map { $0.succession }, authority: approvals.statements.recorded)
        _ = try await ledger.startRun(
            definition, after: predecessor?.sequence, by: context.user, at: Context.clock.wall(),
            predecessorFollowedBy: predecessor.map { OverviewKeeper(at: $0) }, judgedBy: approvals.judgedBy)
        return try await RunControl(context, ledger, run: definition.run.rawValue).drive()
    }

    /// A run of the plan that has not ended: whoever starts it again may have meant that one.
    private func openRun(of stored: StoredPlan, in ledger: Ledger) async throws -> RunID? {
        try await ledger.runs().first { $0.planDigest == stored.digest && $0.standing == .open }?.id
    }

    private func unapproved(
        _ stored: StoredPlan, _ standing: ApprovalStanding, _ inventory: FleetInventory, _ open: RunID?
    ) -> CommandError {
        let lacking = standing.layers.compactMap(\.problem)
        return CommandError(
            .refused, "\(stored.plan.name) is not approved: \(lacking.joined(separator: "; "))",
            consequence: "Nothing was started."
                + (open.map { " The run \($0) of this plan is open; another one needs approvals of its own." } ?? ""),
            next: open.flatMap { standing.policy == 0 ? nil : .status(run: $0) }
                ?? stored.nextCommand(standing, over: inventory))
    }

    /// A run that starts before its first approval (hold point `run`) must not take away the way back of another one.
    private func requireTakeover(
        of predecessor: RolloutState?, by standing: ApprovalStanding, of stored: StoredPlan, over hosts: [Host]
    ) throws {
        let signed = standing.layers.filter { if case .signed = $0.verdict { true } else { false } }.map(\.layer)
        let refusal = predecessor?.takeoverRefusal(at: Context.clock.wall()) { placement in
            let isSelected = hosts.first { $0.name == placement.host }?.placements.contains {
                $0.layer == placement.layer
            }
            return signed.contains(placement.layer) && isSelected == true
        }
        guard let refusal else { return }
        throw CommandError(
            .refused, refusal.message, consequence: "Nothing was started.",
            next: refusal.next ?? .approvePlan(plan: stored.digest.short, owner: nil))
    }

    private func predecessorState(_ context: Context, _ ledger: Ledger) async throws -> RolloutState? {
        guard let succeeds else { return nil }
        let control = try await RunControl(context, ledger, run: succeeds)
        let state = try await control.state()
        if let driver = try await ledger.currentDriver(of: control.run) {
            throw CommandError(
                .refused, "\(control.run) is driven by process \(driver.processID)",
                consequence: "Nothing was started.",
                next: [OperatorCommand.abort(run: control.run)].first(where: state.takes) ?? .watch(run: control.run))
        }
        if let refusal = state.refusal(of: .supersede(by: "successor")) {
            throw CommandError(
                refusal, of: .supersede(by: "successor"), in: state, at: Context.clock.wall(),
                consequence: "Nothing was started")
        }
        return state
    }
}

extension RunID {
    /// A short random id.
    static func random() -> RunID {
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        return RunID("r-" + String((0..<6).map { _ in letters.randomElement() ?? "a" }))
    }
}

extension RolloutState {
    /// The state that a superseding run inherits from this one.
    var succession: Succession {
        Succession(
            predecessor: definition.run, baselines: baselines,
            attempts: placements.all.filter { $0.value.touched || $0.value.attempt > 1 }.mapValues(\.attempt))
    }
}

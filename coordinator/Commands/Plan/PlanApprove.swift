import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import Ledger
import OperatorCommands
import PlanFiles
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct PlanApprove: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Approve exactly this plan for exactly these hosts.",
        discussion: """
            The approval is bound to the digests of the plan and of the selected hosts: a change to either voids it. It
            is not signed: it is a claim of the operating-system user. It serves one run. The run uses it with its first
            change, which must start in time; a run that changes nothing does not use it up. For a limited time it also
            covers a rollback to the declared boundary, so that nobody has to be woken up to approve one.
            Example: lockflight plan approve upgrade-1.5.0 --as ana
            Example: lockflight plan approve upgrade-1.5.0 --as ana --runs 3 --valid-hours 24
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var plan: String
    @Option(name: .customLong("as"), help: "The owner who approves; repeat for several.")
    var owners: [String]
    @Option(name: .long, help: "For how many hours from now it also covers a rollback; 0 for none.")
    var rollbackHours = 72
    @Option(name: .long, help: "How many runs it serves.")
    var runs = 1
    @Option(name: .long, help: "Within how many hours from now a run must start its first change.")
    var validHours = 168

    func validate() throws {
        guard !owners.isEmpty else { throw ValidationError("name the owner who approves: --as OWNER") }
        guard (0...8_760).contains(rollbackHours) else { throw ValidationError("--rollback-hours takes 0 to 8760") }
        guard (1...1_000).contains(runs) else { throw ValidationError("--runs takes 1 to 1000") }
        guard (1...8_760).contains(validHours) else { throw ValidationError("--valid-hours takes 1 to 8760") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let now = Context.clock.wall()
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan)
        let entitled = stored.plan.layers.flatMap { layer in
            inventory.layers.first { $0.name == layer.name }?.owners ?? []
        }
        if let stranger = owners.first(where: { !entitled.contains(Owner($0)) }) {
            throw CommandError(
                .refused, "'\(stranger)' owns no layer of \(stored.plan.name)",
                consequence: "Nothing was approved. Its layers are owned by "
                    + Set(entitled).sorted().map(\.rawValue).joined(separator: ", ") + ".",
                next: stored.nextCommand(
                    try await ledger.approvals(of: stored, over: inventory, at: now).standing, over: inventory))
        }
        try stored.requireStartable(over: inventory, consequence: "Nothing was approved.")
        let hosts = stored.plan.selectedHosts(of: inventory)
        let rollbackUntil =
            rollbackHours == 0 ? nil : now.advanced(bySeconds: rollbackHours * 3_600)
        let until = now.advanced(bySeconds: validHours * 3_600)
        let hostsDigest = try Digest.canonical(of: hosts)
        let approvals = Set(owners).sorted().map { owner in
            Approval(
                owner: Owner(owner), planDigest: stored.digest, hostsDigest: hostsDigest, claimedBy: context.user,
                approvedAt: now, rollbackUntil: rollbackUntil, runs: runs, until: until)
        }
        for approval in approvals { try await ledger.approve(approval) }
        let standing = try await ledger.approvals(of: stored, over: inventory, at: now).standing
        return CommandResult(
            lines: [
                "\(stored.plan.name) \(stored.digest.short) over \(counted(hosts.count, "host")): approved by "
                    + "\(approvals.map(\.owner.rawValue).joined(separator: ", "))"
                    + " (unsigned, claimed by OS user \(context.user))",
                "it serves \(counted(runs, "run")) whose first change starts before \(until.rfc3339)",
                rollbackUntil.map { "it covers a rollback until \($0.rfc3339)" as TerminalText }
                    ?? "it does not cover a rollback, which needs its own approval",
            ], document: approvals.count == 1 ? approvals[0] : approvals,
            next: [stored.nextCommand(standing, over: inventory)])
    }
}

extension StoredPlan {
    /// The next command toward a run: a correction if it can not start, else an approval that is missing, else the
    /// start.
    func nextCommand(_ standing: ApprovalStanding, over inventory: FleetInventory) -> OperatorCommand {
        guard plan.startProblems(over: inventory, at: Context.clock.wall()).isEmpty else { return correction }
        let open = standing.layers.first { !$0.verdict.isApproved }
        guard let open else { return .start(plan: plan.name, succeeds: nil) }
        return .approvePlan(plan: digest.short, owner: open.owners.first)
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

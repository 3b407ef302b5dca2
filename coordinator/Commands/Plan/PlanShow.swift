import Approvals
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

struct PlanShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the sequence of a stored plan.",
        discussion: """
            Shows layers, batches with their hosts, boundaries, what fails them, how far rollback reaches, and who
            approved. With --leaf it shows everything that may run on one host instead, as its owners sign it.
            Example: lockflight plan show upgrade-1.5.0
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var plan: String

    @Option(help: "Show everything that may run on this host.") var leaf: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan)
        if let leaf { return try leafResult(HostName(leaf), of: stored, over: inventory, context) }
        let standing = try await ledger.approvals(of: stored, over: inventory, at: Context.clock.wall()).standing
        let sequence = PlanSequence(plan: stored.plan, inventory: inventory, digest: stored.digest, standing: standing)
        return CommandResult(
            lines: sequence.lines(context), document: PlanDocument(stored.digest, stored.plan, approvals: standing),
            next: [try await ledger.nextCommand(for: stored, standing, over: inventory)])
    }

    private func leafResult(
        _ host: HostName, of stored: StoredPlan, over inventory: FleetInventory, _ context: Context
    ) throws -> CommandResult {
        let leaves = HostLeaves(of: stored.plan, over: stored.plan.selectedHosts(of: inventory))
        guard let leaf = leaves.leaf(of: host) else {
            throw CommandError(
                .refused, "\(stored.plan.name) changes nothing on a host '\(host)'", next: .listInventory)
        }
        let digest = try leaf.digest()
        let head: [TerminalText] = [
            context.style.bold("\(stored.plan.name)") + "  \(stored.digest)", "leaf       \(digest)",
        ]
        return CommandResult(
            lines: (head + leaf.lines).flatMap { $0.wrapped(to: context.width, indent: 13) },
            document: LeafDocument(plan: stored.digest, digest: digest, leaf: leaf))
    }

    private struct LeafDocument: Encodable {
        var plan: Digest
        /// Of the leaf.
        var digest: Digest
        var leaf: HostLeaf
    }
}

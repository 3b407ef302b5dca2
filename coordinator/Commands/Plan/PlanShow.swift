import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import Ledger
import OperatorCommands
import PlanFiles
import RunRecord
import RunViews
import UpgradeDomain

struct PlanShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the sequence of a stored plan.",
        discussion: """
            Shows layers, batches with their hosts, boundaries, what fails them, how far rollback reaches, and who
            approved.
            Example: lockflight plan show upgrade-1.5.0
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var plan: String

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan)
        let standing = try await ledger.approvals(of: stored, over: inventory, at: Context.clock.wall()).standing
        let sequence = PlanSequence(plan: stored.plan, inventory: inventory, digest: stored.digest, standing: standing)
        return CommandResult(
            lines: sequence.lines(context), document: PlanDocument(stored.digest, stored.plan, approvals: standing),
            next: [stored.nextCommand(standing, over: inventory)])
    }
}

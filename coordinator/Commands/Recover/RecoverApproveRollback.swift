import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverApproveRollback: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Approve a rollback.",
        discussion: "Example: lockflight recover approve rollback --layer core --as ana")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @OptionGroup var chosen: RollbackScopeOptions
    @Option(name: .customLong("as"), help: "The owner who approves.") var owner: String
    @OptionGroup var signing: RecoverySigning
    @Option(name: .long, help: "The reason; recorded with a claim.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).permit(
            .rollback(scope: chosen.scope, breakGlass: nil), by: Owner(owner), key: signing.key, hours: signing.hours,
            reason: reason)
    }
}

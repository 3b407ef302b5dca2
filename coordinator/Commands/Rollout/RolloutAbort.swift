import ArgumentParser
import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RolloutAbort: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "Stop forward work for good. Hosts stay as they are; rollback stays possible.",
        discussion: "Example: lockflight rollout abort --reason 'wrong release'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The reason; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).requestAndFollow(.abort, reason: reason)
    }
}

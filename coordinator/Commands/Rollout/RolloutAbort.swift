import ArgumentParser
import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RolloutAbort: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "End forward work for good; change no host; leave rollback open.",
        discussion: "Example: lockflight rollout abort --reason 'wrong release'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Why; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).requestAndFollow(.abort, reason: reason)
    }
}

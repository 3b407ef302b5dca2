import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutCancel: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End a run that has changed nothing, and free its hosts.",
        discussion: """
            For a run that is held in preflight or at its baseline, or was aborted before any step ran. If a step may \
            have run, roll back and finalize instead.
            Example: lockflight rollout cancel --reason 'another window'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The reason; recorded.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(.cancel, reason: reason)
        return CommandResult(
            lines: ["\(control.run) is cancelled: it changed nothing, and its hosts are free"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines), next: [.status(run: nil)])
    }
}

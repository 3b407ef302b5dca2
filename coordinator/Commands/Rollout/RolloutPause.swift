import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutPause: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Pause a run: start nothing new, and keep sampling changed hosts.",
        discussion: "Example: lockflight rollout pause")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(.pause)
        return CommandResult(
            lines: ["\(state.definition.run) is paused; \(try await control.driverSentence())"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
            next: [.resume(run: control.run)])
    }
}

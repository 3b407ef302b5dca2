import ArgumentParser
import CoordinatorRuntime
import Ledger
import RolloutEngine
import UpgradeDomain

struct StatusCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Where a run stands: intended, recorded and observed, the hold, the way on.",
        discussion: "Example: lockflight status")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try context.control(target, readOnly: true)
        let state = try await control.state()
        let isDriven = try control.ledger.currentDriver(of: control.run) != nil
        let view = StatusView(
            state: state, now: Context.clock.wall(), width: context.width, style: context.style,
            driver: isDriven ? try control.driverSentence() : nil)
        return CommandResult(
            lines: view.lines(), document: RunDocument(state), remarks: isDriven ? [] : [try control.driverSentence()])
    }
}

import ArgumentParser
import CoordinatorRuntime
import Ledger
import SafeText
import UpgradeDomain

struct StatusCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Where a run stands: intended, recorded and observed, the hold, the way on.",
        discussion: "Example: lockflight status")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Flag(name: .long, help: "List every host, of large layers as well.") var all = false

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try context.control(target, readOnly: true)
        // Asked before the events are read: what a driver recorded last is there once it is gone.
        let isDriven = try control.ledger.currentDriver(of: control.run) != nil
        let report = try await control.report(
            placementsPerLayer: all || context.isJSON ? nil : RunReport.placementsPerLayer)
        let view = StatusView(
            report: report, now: Context.clock.wall(), width: context.width, style: context.style,
            commandLines: context.commandLines,
            driver: isDriven ? try control.driverSentence() : nil)
        return CommandResult(
            lines: view.lines(), document: RunDocument(report, context.commandLines),
            remarks: isDriven ? [] : ["\(try control.driverSentence())"])
    }
}

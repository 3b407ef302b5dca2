import ArgumentParser
import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutFinalize: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "finalize", abstract: "End the rollback window of a verified or completely rolled back run.",
        discussion: "Example: lockflight rollout finalize r-7k3fq2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(
        name: .customLong("as"),
        help: "An owner who signs it, where a policy asks for that; repeat for several.")
    var owners: [String] = []
    @OptionGroup var signing: KeyOption

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(
            .finalize, decidedBy: owners.map { Owner($0) }, key: signing.key)
        let final = state.plan.layers.filter { $0.rollback.boundary == .untilFinalize }.map(\.name.rawValue)
        var lines: [TerminalText] = ["\(control.run) is finalized"]
        if !final.isEmpty { lines.append("rollback is not possible any more: \(final.joined(separator: ", "))") }
        return CommandResult(lines: lines, document: RunDocument(state, at: Context.clock.wall(), context.commandLines))
    }
}

import ArgumentParser
import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutRetire: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Remove a host from a run; the run then ends as 'verified except'.",
        discussion: """
            Example: lockflight rollout retire r-7k3fq2 --host edge-3 \\
              --as ana --reason 'machine is gone'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The host.") var host: String
    @Option(name: .customLong("as"), help: "The deciding owner.") var owner: String
    @OptionGroup var signing: KeyOption
    @Option(name: .long, help: "The reason; recorded. If you leave it out, you are asked.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let state = try await control.request(
            .retire(host: HostName(host), owner: Owner(owner)),
            reason: reason, needsReason: "to take \(host) out of \(control.run)", decidedBy: [Owner(owner)],
            key: signing.key)
        return CommandResult(
            lines: ["\(host) is retired from \(control.run)"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
            next: state.nextCommands(at: Context.clock.wall()).map(\.command))
    }
}

import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RolloutRebind: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebind", abstract: "Update a host's address and key in a live run from the inventory.",
        discussion: """
            Example: lockflight rollout rebind r-7k3fq2 --host core-2 \\
              --reason 'new network card'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The host.") var host: String
    @Option(name: .long, help: "The reason; recorded. If you leave it out, you are asked.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let inventory = try await context.inventory(of: control.ledger)
        guard let entry = inventory.hosts.first(where: { $0.name.rawValue == host }) else {
            throw CommandError(.refused, "the inventory has no host '\(host)'", next: .listInventory)
        }
        let action = RequestedAction.rebind(
            host: entry.name, address: entry.address, port: entry.port, hostKeys: entry.hostKeys)
        let state = try await control.request(
            action, reason: reason, needsReason: "to change how \(host) is reached")
        return CommandResult(
            lines: ["\(host) is now reached at \(entry.address):\(entry.port) in \(control.run)"],
            document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
            next: state.nextCommands(at: Context.clock.wall()).map(\.command))
    }
}

import AgentProtocol
import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RunViews
import UpgradeDomain

struct LedgerReconstructed: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconstructed", abstract: "List what was reconstructed from the hosts' journals.",
        discussion: "Example: lockflight ledger reconstructed --json")

    @OptionGroup var options: GlobalOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let operations = try await context.existingLedger().reconstructedOperations()
        return CommandResult(lines: ReconstructionTable.lines(of: operations, context), document: operations)
    }
}

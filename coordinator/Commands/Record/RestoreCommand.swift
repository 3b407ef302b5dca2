import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct RestoreCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a ledger of a backup, where there is none.",
        discussion: """
            What was recorded after the backup is lost, what was done on hosts is not: their journals have it, and a run
            that goes on asks them. Epochs go on above all that hosts have seen.
            Example: lockflight restore /var/backups/lockflight-2026-11-23.sqlite
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The backup.", completion: .file()) var file: String

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await Ledger.restore(file, to: context.ledgerPath, at: Context.clock.wall())
        return CommandResult(
            lines: ["\(context.ledgerPath) is restored from \(file)"], document: ["ledger": ledger.id.rawValue],
            next: [.status(run: nil)])
    }
}

import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct RestoreCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Restore a ledger from a backup; no ledger may exist at its path.",
        discussion: """
            Records made after the backup are lost. Work done on hosts is not: it is in their journals, and a resumed
            run asks for it. Epochs continue above every epoch that hosts have seen.
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

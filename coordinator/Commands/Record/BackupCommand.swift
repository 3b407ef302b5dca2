import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct BackupCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the ledger as it is at one moment, also while a run is going.",
        discussion: "Example: lockflight backup /var/backups/lockflight-2026-11-23.sqlite")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The file to write; it must not exist.", completion: .file()) var file: String

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.existingLedger().backup(to: file)
        let verification = try await Ledger.openReadOnly(at: file).verify()
        let events = verification.chains.reduce(0) { $0 + $1.provenSequence }
        return CommandResult(
            lines: ["written to \(file): \(verification.chains.count) runs, \(events) events, sound"],
            document: ["file": file], status: verification.isSound ? .verified : .failure)
    }
}

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

import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct BackupCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write a consistent copy of the ledger, even while a run is in progress.",
        discussion: "Example: lockflight backup /var/backups/lockflight-2026-11-23.sqlite")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The file to write; it must not exist.", completion: .file()) var file: String

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.existingLedger().backup(to: file)
        let verification = try await Ledger.openReadOnly(at: file).verify()
        let events = verification.chains.reduce(0) { $0 + $1.provenSequence }
        return CommandResult(
            lines: [
                "written to \(file): \(counted(verification.chains.count, "run")), \(counted(events, "event")), sound"
            ],
            document: ["file": file], status: verification.isSound ? .verified : .failure)
    }
}

import ArgumentParser
import CoordinatorRuntime
import Inventory
import Ledger
import Terminal
import UpgradeDomain

struct InventoryImport: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Validate an inventory file and store it.",
        discussion: """
            Reports every error of the file at once. Pinned host keys are kept for hosts that stay at their address.
            Example: lockflight inventory import fleet.yaml
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The inventory file.", completion: .file()) var file: String

    func perform(_ context: Context) async throws -> CommandResult {
        let read = try InventoryFile.read(text: try context.readFile(file), file: file)
        let ledger = try context.ledger()
        let previous = try ledger.currentInventory()
        let inventory = read.keepingPins(of: previous)
        let stored = try ledger.importInventory(inventory, by: context.user, at: Context.clock.wall())
        let difference = InventoryDifference(from: previous, to: inventory)
        let changes = difference.changes.isEmpty ? ["nothing changed"] : difference.changes
        let unpinned = inventory.hosts.filter(\.hostKeys.isEmpty).count
        var remarks: [String] = []
        if unpinned > 0 {
            remarks = ["\(unpinned) hosts have no pinned key", "next: lockflight inventory trust"]
        }
        return CommandResult(
            lines: changes.map { TerminalText.escaped($0) },
            document: Document(digest: stored.digest, hosts: inventory.hosts.count, changes: difference.changes),
            remarks: remarks)
    }

    private struct Document: Encodable {
        var digest: Digest
        var hosts: Int
        var changes: [String]
    }
}

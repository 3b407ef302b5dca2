import ArgumentParser
import SafeText
import UpgradeDomain

struct InventoryList: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the hosts.", discussion: "Example: lockflight inventory list")

    @OptionGroup var options: GlobalOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let inventory = try await context.inventory(of: try context.existingLedger())
        let rows = inventory.hosts.map { host -> [TerminalText] in
            [
                "\(host.name)", "\(host.user)@\(host.address.bracketed):\(host.port)",
                host.hostKeys.isEmpty ? context.style.yellow("no key") : "pinned",
                "\(host.placements.map(\.layer.rawValue).joined(separator: ", "))",
            ]
        }
        let table = TextTable(headers: ["HOST", "ADDRESS", "HOST KEY", "LAYERS"], rows: rows)
        return CommandResult(lines: table.lines(width: context.width, style: context.style), document: inventory)
    }
}

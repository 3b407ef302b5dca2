import ArgumentParser
import InventoryImport
import SafeText

extension ExportFormat: ExpressibleByArgument {}

struct InventoryExport: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print the stored inventory as a file that an import reads back.",
        discussion: """
            json is an inventory file of Lockflight. ansible is an inventory of Ansible's yaml plugin, with one group for each
            layer. csv is a table. Pinned keys are not part of it.
            Example: lockflight inventory export --format json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "ansible, json or csv.") var format: ExportFormat

    func perform(_ context: Context) async throws -> CommandResult {
        let inventory = try await context.inventory(of: try context.existingLedger())
        let text = format.text(of: inventory)
        return CommandResult(
            lines: text.lines.map { TerminalText(escaping: String($0)) },
            document: Document(format: format.rawValue, text: text))
    }

    private struct Document: Encodable {
        var format: String
        var text: String
    }
}

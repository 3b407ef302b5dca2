import ArgumentParser
import InventoryImport
import SafeText
import UpgradeDomain

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
        let shown = text.lines.map { TerminalText(escaping: String($0)) }
        var result = CommandResult(lines: shown, document: Document(format: format.rawValue, text: text))
        // A file or a program gets the values themselves. A terminal would obey some of them.
        if Renderer.terminalColumns == 0 {
            result.exactText = text
        } else if !zip(shown, text.lines).allSatisfy({ $0.written.isSpelled($1) }) {
            result.remarks = [
                "some characters are shown as \\u{...}, which an import would read as text: write it to a file instead"
            ]
        }
        return result
    }

    private struct Document: Encodable {
        var format: String
        var text: String
    }
}

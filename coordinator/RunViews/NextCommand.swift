package import OperatorCommands
import UpgradeDomain

/// A command that can be given now, and what it is for.
package struct NextCommand: Codable, Hashable {
    package var command: OperatorCommand
    package var why: String

    package init(_ command: OperatorCommand, _ why: String) {
        self.command = command
        self.why = why
    }

    /// What it is for, and what it will ask.
    package var sentence: String { command.asksForReason ? "\(why); asks for the reason" : why }
}

/// The same as `--json` and pages show it.
package struct NextCommandDocument: Encodable {
    package var command: String
    package var why: String
    /// What it asks a person for, and takes as an option of that name where nobody can be asked.
    package var asks: [String]?

    package init(_ next: NextCommand, _ lines: CommandLines) {
        command = lines.line(next.command)
        why = next.why
        asks = next.command.asksForReason ? ["reason"] : nil
    }
}

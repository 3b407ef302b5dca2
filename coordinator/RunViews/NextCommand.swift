package import OperatorCommands
import UpgradeDomain

/// A command that can be run now, and its purpose.
package struct NextCommand: Codable, Hashable {
    package var command: OperatorCommand
    package var why: String

    package init(_ command: OperatorCommand, _ why: String) {
        self.command = command
        self.why = why
    }

    /// Its purpose, and whether it asks for a reason.
    package var sentence: String { command.asksForReason ? "\(why); asks for the reason" : why }
}

/// A next command for `--json` and pages.
package struct NextCommandDocument: Encodable {
    package var command: String
    package var why: String
    /// What it asks for; without a terminal, give it with the option of that name.
    package var asks: [String]?

    package init(_ next: NextCommand, _ lines: CommandLines) {
        command = lines.line(next.command)
        why = next.why
        asks = next.command.asksForReason ? ["reason"] : nil
    }
}

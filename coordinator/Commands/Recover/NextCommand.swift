import OperatorCommands
import UpgradeDomain

/// A command that can be given now, and what it is for.
struct NextCommand: Codable, Hashable {
    var command: OperatorCommand
    var why: String

    init(_ command: OperatorCommand, _ why: String) {
        self.command = command
        self.why = why
    }

    /// What it is for, and what it will ask.
    var sentence: String { command.asksForReason ? "\(why); asks for the reason" : why }
}

/// The same as `--json` and pages show it.
struct NextCommandDocument: Encodable {
    var command: String
    var why: String
    /// What it asks a person for, and takes as an option of that name where nobody can be asked.
    var asks: [String]?

    init(_ next: NextCommand, _ lines: CommandLines) {
        command = lines.line(next.command)
        why = next.why
        asks = next.command.asksForReason ? ["reason"] : nil
    }
}

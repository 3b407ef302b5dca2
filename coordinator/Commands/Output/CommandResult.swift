import CoordinatorRuntime
import Foundation
import Logging
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// What a command found or did. Only the renderer decides how it looks.
struct CommandResult {
    /// For people, one element per line.
    var lines: [TerminalText]
    /// Printed instead of the lines, byte by byte and without a line end; nil for a result in lines.
    var exactText: String?
    /// For programs: the shape of `--json`.
    var document: any Encodable & Sendable
    var status: ExitStatus = .verified
    /// Remarks that are not part of the result; they go to standard error.
    var remarks: [TerminalText] = []
    /// Commands that can be run next; printed after the remarks.
    var next: [OperatorCommand] = []
}

/// An error for a person: what failed and where, the consequence, the next command.
struct CommandError: Error, CustomStringConvertible {
    var status: ExitStatus
    var message: String
    var consequence: String?
    var next: OperatorCommand?

    init(_ status: ExitStatus, _ message: String, consequence: String? = nil, next: OperatorCommand? = nil) {
        self.status = status
        self.message = message
        self.consequence = consequence
        self.next = next
    }

    var description: String { message }
}

extension CommandError {
    /// A refused request, with what would make it possible and the narrowest command that can be run now.
    init(
        _ refusal: RequestRefusal, of action: RequestedAction, in state: RolloutState, at wall: WallTime,
        consequence: String
    ) {
        self.init(
            .refused, refusal.message, consequence: "\(consequence): \(refusal.remedy).",
            next: state.nextCommand(after: refusal, of: action, at: wall))
    }
}

/// The environment of a command: ledger, output and user.
struct Context: Sendable {
    /// Formats the commands to run next.
    var commandLines: CommandLines
    var ledgerPath: String
    var isJSON: Bool
    var style: Style
    /// Columns of the output for people; very wide in a pipe, so that nothing is cut.
    var width: Int
    /// Whether a live view can be drawn: on a terminal to which nothing else is written meanwhile.
    var isTerminal: Bool
    var environment: [String: String]
    var logger = Logger.silent

    /// The operating-system user, to whom approvals and requests are attributed.
    var user: String { NSUserName() }
}

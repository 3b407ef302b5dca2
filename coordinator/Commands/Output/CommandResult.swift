import CoordinatorRuntime
import Foundation
import Logging
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// What a command found or did; the renderer alone decides how it looks.
struct CommandResult {
    /// For people, one element a line.
    var lines: [TerminalText]
    /// For programs: the shape of `--json`.
    var document: any Encodable & Sendable
    var status: ExitStatus = .verified
    /// Remarks that are no result; they go to standard error.
    var remarks: [TerminalText] = []
    /// What can be done next, after the remarks.
    var next: [OperatorCommand] = []
}

/// Something a person has to know: what failed and where, what follows, the next command.
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
    /// A refused request, with what would make it possible and the narrowest command that can be given now.
    init(
        _ refusal: RequestRefusal, of action: RequestedAction, in state: RolloutState, at wall: WallTime,
        consequence: String
    ) {
        self.init(
            .refused, refusal.message, consequence: "\(consequence): \(refusal.remedy).",
            next: state.nextCommand(after: refusal, of: action, at: wall))
    }
}

/// Where and how a command works.
struct Context: Sendable {
    /// Writes what to do next.
    var commandLines: CommandLines
    var ledgerPath: String
    var isJSON: Bool
    var style: Style
    /// Columns to use for people; very wide in a pipe, so that nothing is cut.
    var width: Int
    /// Whether a live view can be drawn: on a terminal, and where nothing else is written to it meanwhile.
    var isTerminal: Bool
    var environment: [String: String]
    var logger = Logger.silent

    /// The operating-system user, who claims approvals and requests.
    var user: String { NSUserName() }
}

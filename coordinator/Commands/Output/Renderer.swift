import CLinux
import Foundation
import Glibc
import OperatorCommands
import SafeText
import Synchronization
import SystemPackage
import UpgradeDomain

/// The only place that writes to standard output and standard error.
enum Renderer {
    /// The longest answer that is read.
    static let answerBytes = 1_000

    /// How wide the terminal of standard output is; 0 where it is none.
    static var terminalColumns: Int { Int(lockflight_terminal_columns(STDOUT_FILENO)) }
    /// The terminal of standard output, as it is now; 80 x 24 where it is not known.
    static var terminalSize: TerminalSize {
        let rows = Int(lockflight_terminal_rows(STDOUT_FILENO))
        return TerminalSize(columns: terminalColumns > 0 ? terminalColumns : 80, rows: rows > 0 ? rows : 24)
    }

    static func deliver(_ result: CommandResult, _ context: Context) {
        if context.isJSON {
            write(json(result.document) + "\n", to: STDOUT_FILENO)
        } else {
            writeOutput(result.lines)
        }
        writeError(result.remarks + result.next.map { "next: \(context.commandLines.line($0))" })
    }

    static func deliver(_ error: CommandError, _ context: Context) {
        if context.isJSON {
            write(json(ErrorDocument(error, context.commandLines)) + "\n", to: STDOUT_FILENO)
        }
        writeError(lines(of: error, context.style, context.commandLines))
    }

    /// What is said beside a result, before it is there.
    static func remark(_ text: TerminalText) { writeError([text]) }

    /// Help, or what is wrong with the words of a command line, which may come from anywhere.
    static func deliver(_ message: String, isHelp: Bool) {
        if isHelp {
            write(message.isEmpty || message.ends(with: "\n") ? message : message + "\n", to: STDOUT_FILENO)
        } else {
            writeError(message.lines.map { TerminalText(escaping: String($0)) })
        }
    }

    /// A message of several lines has those after the first under its words: no text of a host or a file begins a line of ours.
    static func lines(of error: CommandError, _ style: Style, _ commands: CommandLines) -> [TerminalText] {
        let message = error.message.lines.map { TerminalText(escaping: String($0)) }
        var lines = [style.red("error:") + " " + (message.first ?? "")] + message.dropFirst().map { "       \($0)" }
        if let consequence = error.consequence { lines.append("  \(consequence)") }
        if let next = error.next { lines.append("  next: " + style.bold("\(commands.line(next))")) }
        return lines
    }

    static func json(_ value: any Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let data = try? encoder.encode(value) else { return "null" }
        return JSONText.shown(String(decoding: data, as: UTF8.self))
    }

    /// One element a line, whatever is in it.
    static func writeOutput(_ lines: [TerminalText]) { write(shown(lines), to: STDOUT_FILENO) }
    static func writeError(_ lines: [TerminalText]) { write(shown(lines), to: STDERR_FILENO) }
    static func write(_ region: inout LiveRegion, _ lines: [TerminalText], in size: TerminalSize) {
        write(region.update(lines, in: size), to: STDOUT_FILENO)
    }

    private static func shown(_ lines: [TerminalText]) -> String { lines.map { $0.written + "\n" }.joined() }

    /// Asks the person at the terminal, wherever standard input and output lead.
    ///
    /// - Returns: What was typed in a line, without space around it; nil where there is no terminal.
    static func ask(_ lines: [TerminalText], _ question: TerminalText) throws -> String? {
        guard let terminal = try? FileDescriptor.open("/dev/tty", .readWrite) else { return nil }
        return try terminal.closeAfter {
            write(shown(lines) + question.written + " ", to: terminal.rawValue)
            var answer: [UInt8] = []
            var byte: [UInt8] = [0]
            while answer.count < answerBytes, try byte.withUnsafeMutableBytes({ try terminal.read(into: $0) }) == 1,
                byte != [0x0a]
            {
                answer += byte
            }
            return String(String(decoding: answer, as: UTF8.self).trimmed)
        }
    }

    /// Writes all of it; a reader that has gone away ends the writing quietly.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                switch errno {
                case EINTR: continue
                case EAGAIN: wait(for: descriptor)
                case EPIPE: return
                case let fault:
                    if descriptor == STDOUT_FILENO { outputFault.withLock { $0 = $0 ?? fault } }
                    return
                }
            } else {
                bytes = bytes.dropFirst(written)
            }
        }
    }

    /// Waits until a descriptor that does not block takes more.
    private static func wait(for descriptor: Int32) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
    }

    /// The first error with which standard output was not written.
    private static let outputFault = Mutex<Int32?>(nil)

    /// What follows where standard output took not all that was written; nil where it did, or its reader went away.
    static func outputProblem(instead status: ExitStatus) -> CommandError? {
        guard let fault = outputFault.withLock({ $0 }) else { return nil }
        return CommandError(
            .failure, "standard output could not be written: \(Errno(rawValue: fault))",
            consequence: "What the command did stands; it would have ended with \(status.rawValue).")
    }

    /// Says something on the way out of a process that hangs: never waits for whoever reads it.
    static func lastWords(_ lines: [TerminalText]) {
        var ready = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        if poll(&ready, 1, 0) == 1 { writeError(lines) }
    }

    private struct ErrorDocument: Encodable {
        struct Body: Encodable {
            var message: String
            var consequence: String?
            var next: String?
            /// What the next command asks a person for.
            var asks: [String]?
            var exitCode: Int32
        }
        var error: Body

        init(_ error: CommandError, _ commands: CommandLines) {
            self.error = Body(
                message: error.message, consequence: error.consequence, next: error.next.map(commands.line),
                asks: error.next?.asksForReason == true ? ["reason"] : nil, exitCode: error.status.rawValue)
        }
    }
}

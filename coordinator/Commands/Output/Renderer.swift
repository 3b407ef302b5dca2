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

    /// How wide the terminal of standard output is; 0 if it is not a terminal.
    static var terminalColumns: Int { Int(lockflight_terminal_columns(STDOUT_FILENO)) }
    /// The current size of standard output's terminal; 80 x 24 if it is unknown.
    static var terminalSize: TerminalSize {
        let rows = Int(lockflight_terminal_rows(STDOUT_FILENO))
        return TerminalSize(columns: terminalColumns > 0 ? terminalColumns : 80, rows: rows > 0 ? rows : 24)
    }

    static func deliver(_ result: CommandResult, _ context: Context) {
        if context.isJSON {
            write(json(result.document) + "\n", to: STDOUT_FILENO)
        } else if let text = result.exactText {
            write(text, to: STDOUT_FILENO)
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

    /// Prints a remark before the result is available.
    static func remark(_ text: TerminalText) { writeError([text]) }

    /// Help, or the usage error of a command line, which may contain any text.
    static func deliver(_ message: String, isHelp: Bool) {
        if isHelp {
            write(message.isEmpty || message.ends(with: "\n") ? message : message + "\n", to: STDOUT_FILENO)
        } else {
            writeError(message.lines.map { TerminalText(escaping: String($0)) })
        }
    }

    /// Indents every line of a message after the first, so that text from a host or a file can not pass for ours.
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

    /// One element per line, whatever it contains.
    static func writeOutput(_ lines: [TerminalText]) { write(shown(lines), to: STDOUT_FILENO) }
    static func writeError(_ lines: [TerminalText]) { write(shown(lines), to: STDERR_FILENO) }
    static func write(_ region: inout LiveRegion, _ lines: [TerminalText], in size: TerminalSize) {
        write(region.update(lines, in: size), to: STDOUT_FILENO)
    }

    private static func shown(_ lines: [TerminalText]) -> String { lines.map { $0.written + "\n" }.joined() }

    /// Asks the person at the terminal, even if standard input and output are redirected.
    ///
    /// - Returns: the typed line without surrounding space; nil without a terminal.
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

    /// Writes the whole text; stops silently if the reader is gone.
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

    /// Waits until a non-blocking descriptor accepts more bytes.
    private static func wait(for descriptor: Int32) {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
    }

    /// The first error of writing to standard output.
    private static let outputFault = Mutex<Int32?>(nil)

    /// The error if standard output could not be written completely; nil if it was, or if its reader is gone.
    static func outputProblem(instead status: ExitStatus) -> CommandError? {
        guard let fault = outputFault.withLock({ $0 }) else { return nil }
        return CommandError(
            .failure, "standard output could not be written: \(Errno(rawValue: fault))",
            consequence: "The command took effect; its exit code would have been \(status.rawValue).")
    }

    /// Prints lines while a hanging process exits; never waits for the reader.
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

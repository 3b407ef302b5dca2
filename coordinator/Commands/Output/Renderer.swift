import Foundation
import SafeText

#if canImport(Glibc)
    import Glibc
#endif

/// The only place that writes to standard output and standard error.
enum Renderer {
    static func deliver(_ result: CommandResult, _ context: Context) {
        if context.isJSON {
            write(json(result.document) + "\n", to: STDOUT_FILENO)
        } else {
            writeOutput(result.lines)
        }
        writeError(result.remarks)
    }

    static func deliver(_ error: CommandError, _ context: Context) {
        if context.isJSON {
            write(json(ErrorDocument(error)) + "\n", to: STDOUT_FILENO)
        }
        writeError(lines(of: error, context.style))
    }

    /// A message of several lines has those after the first under its words: no text of a host or a file begins a line of ours.
    static func lines(of error: CommandError, _ style: Style) -> [String] {
        let message = error.message.lines.map { TerminalText.escaped(String($0)) }
        var lines = [style.red("error:") + " " + (message.first ?? "")] + message.dropFirst().map { "       " + $0 }
        if let consequence = error.consequence { lines.append("  " + TerminalText.escaped(consequence)) }
        if let next = error.next { lines.append("  next: " + style.bold(TerminalText.escaped(next))) }
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
    static func writeOutput(_ lines: [String]) { write(shown(lines), to: STDOUT_FILENO) }
    static func writeError(_ lines: [String]) { write(shown(lines), to: STDERR_FILENO) }
    static func write(_ region: inout LiveRegion, _ lines: [String]) {
        write(region.update(lines.map { TerminalText.line($0, styles: Style.codes) }), to: STDOUT_FILENO)
    }

    private static func shown(_ lines: [String]) -> String {
        lines.map { TerminalText.line($0, styles: Style.codes) + "\n" }.joined()
    }

    /// Writes all of it; a reader that has gone away ends the writing quietly.
    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                return
            }
            bytes = bytes.dropFirst(written)
        }
    }

    private struct ErrorDocument: Encodable {
        struct Body: Encodable {
            var message: String
            var consequence: String?
            var next: String?
            var exitCode: Int32
        }
        var error: Body

        init(_ error: CommandError) {
            self.error = Body(
                message: error.message, consequence: error.consequence, next: error.next,
                exitCode: error.status.rawValue)
        }
    }
}

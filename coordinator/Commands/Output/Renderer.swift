import Foundation
import SafeText

#if canImport(Glibc)
    import Glibc
#endif

/// The only place that writes to standard output and standard error.
enum Renderer {
    static func deliver(_ result: CommandResult, _ context: Context) {
        if context.isJSON {
            writeOutput(json(result.document) + "\n")
        } else if !result.lines.isEmpty {
            writeOutput(result.lines.joined(separator: "\n") + "\n")
        }
        for remark in result.remarks { writeError(remark + "\n") }
    }

    static func deliver(_ error: CommandError, _ context: Context) {
        if context.isJSON {
            writeOutput(json(ErrorDocument(error)) + "\n")
        }
        writeError(lines(of: error, context.style).joined(separator: "\n") + "\n")
    }

    static func lines(of error: CommandError, _ style: Style) -> [String] {
        var lines = [style.red("error:") + " " + TerminalText.escaped(error.message, keepingNewlines: true)]
        if let consequence = error.consequence { lines.append("  " + consequence) }
        if let next = error.next { lines.append("  next: " + style.bold(next)) }
        return lines
    }

    static func json(_ value: any Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return "null" }
        return String(decoding: data, as: UTF8.self)
    }

    static func writeOutput(_ text: String) { write(text, to: STDOUT_FILENO) }
    static func writeError(_ text: String) { write(text, to: STDERR_FILENO) }

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

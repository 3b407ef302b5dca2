import AgentProtocol
import SafeText

/// Splits an operation's output, which arrives in pieces of bytes, into lines.
struct OutputLines {
    /// A longer line is shown in parts.
    static let lineBytes = 65_536

    private var rest: [UInt8] = []

    /// The lines that a piece completes.
    mutating func lines(completedBy piece: OutputReply) -> [TerminalText] {
        var lines: [TerminalText] = []
        if let dropped = piece.droppedBytes {
            lines += end()
            lines.append("... \(counted(dropped, "byte")) not kept by the host ...")
        }
        rest += piece.bytes.elements
        var start = rest.startIndex
        while let end = rest[start...].firstIndex(of: 0x0a) {
            lines.append(OutputLines.line(rest[start..<end]))
            start = end + 1
        }
        while rest.endIndex - start > OutputLines.lineBytes {
            lines.append(OutputLines.line(rest[start..<start + OutputLines.lineBytes]))
            start += OutputLines.lineBytes
        }
        rest.removeSubrange(..<start)
        return lines
    }

    /// The rest that has no line end.
    mutating func end() -> [TerminalText] {
        defer { rest = [] }
        return rest.isEmpty ? [] : [OutputLines.line(rest[...])]
    }

    private static func line(_ bytes: ArraySlice<UInt8>) -> TerminalText {
        let isFromWindows = bytes.last == 0x0d
        return TerminalText(escaping: String(decoding: isFromWindows ? bytes.dropLast() : bytes, as: UTF8.self))
    }
}

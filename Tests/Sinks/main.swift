import Foundation
import SafeText

// For scripts/sinks.py: reads texts, each a line of hexadecimal UTF-8, and writes each one as every sink shows it, in
// hexadecimal and separated by spaces: terminal text, HTML, Markdown, Markdown code, a shell word, terminal JSON.

func hexadecimal(_ text: String) -> String {
    text.utf8.map { String(0x100 + Int($0), radix: 16).dropFirst() }.joined()
}

func text(of line: String) -> String {
    let digits = Array(line.utf8)
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
        UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
    }
    return String(decoding: bytes, as: UTF8.self)
}

while let line = readLine() {
    let text = text(of: line)
    let json = try JSONEncoder().encode([text])
    let written = [
        TerminalText(escaping: text).written, HTMLText(escaping: text).written, MarkdownText(escaping: text).written,
        MarkdownText(code: text).written, ShellText.word(text), JSONText.shown(String(decoding: json, as: UTF8.self)),
    ]
    print(written.map(hexadecimal).joined(separator: " "))
}

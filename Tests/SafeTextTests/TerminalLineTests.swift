import SafeText
import Testing

/// Text for a terminal is one line, and only our own styles in it control the terminal.
struct TerminalLineTests {
    @Test(
        arguments: [
            ("plain", "plain"), ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"), ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"), ("a\nnext: rm", "a\\u{a}next: rm"),
            ("a\r\nb", "a\\u{d}\\u{a}b"), ("\u{9b}31m", "\\u{9b}31m"), ("\u{202e}abc", "\\u{202e}abc"),
            ("\u{1b}\u{301}[31m", "\\u{1b}\u{301}[31m"),
        ])
    func textFromOutsideIsEscaped(_ text: String, _ expected: String) {
        let line: TerminalText = "host: \(text)"
        #expect(line.written.unicodeScalars.elementsEqual("host: \(expected)".unicodeScalars))
        let shown = line.rendered(.red) + ", " + "\(Substring(text))"
        #expect(shown.written == "\u{1b}[31mhost: \(expected)\u{1b}[0m, \(expected)")
    }

    @Test func eachOutputTypeEscapesOtherText() {
        let page: HTMLText = "<b>\("<i>")</b>"
        #expect(page.written == "<b>&lt;i&gt;</b>")
        #expect((["\("&")", page] as [HTMLText]).joined(separator: "<br>").written == "&amp;<br><b>&lt;i&gt;</b>")
        let row: MarkdownText = "| \("a|b") | \(3) |"
        #expect(row.written == "| a&#124;b | 3 |")
    }

    @Test(
        arguments: [
            ("{\"a\":\"b\"}", "{\"a\":\"b\"}"), ("\u{9b}31m", "\\u009b31m"), ("\u{7f}", "\\u007f"), ("é", "é"),
            ("\u{202e}", "\\u202e"), ("\u{e0041}", "\\udb40\\udc41"),
        ])
    func jsonKeepsItsValue(_ text: String, _ expected: String) { #expect(JSONText.shown(text) == expected) }

    @Test(
        arguments: [
            (["a", "b"], "a b"), (["a b"], "'a b'"), ([""], "''"), (["it's"], "'it'\\''s'"), (["$(id)"], "'$(id)'"),
            (["-x=1", "./a"], "-x=1 ./a"), (["'\u{301}"], "''\\''\u{301}'"),
        ])
    func wordsAreQuoted(_ words: [String], _ expected: String) { #expect(ShellText.line(words) == expected) }
}

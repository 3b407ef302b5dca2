import SafeText
import Testing

/// What is written to a terminal is one line, and nothing in it steers but our own styles.
struct TerminalLineTests {
    private let styles: Set<String> = ["0", "1", "31"]

    @Test(
        arguments: [
            ("plain", "plain"), ("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m"),
            ("\u{1b}[2J", "\\u{1b}[2J"), ("\u{1b}[8mhidden", "\\u{1b}[8mhidden"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\nnext: rm", "a\\u{a}next: rm"), ("a\r\nb", "a\\u{d}\\u{a}b"), ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{1b}\u{1b}[31m", "\\u{1b}\u{1b}[31m"), ("\u{1b}[31", "\\u{1b}[31"), ("\u{1b}", "\\u{1b}"),
            ("\u{1b}[1;31m", "\\u{1b}[1;31m"), ("\u{1b}[31m\u{301}", "\u{1b}[31m\u{301}"),
            ("\u{202e}abc", "\\u{202e}abc"),
        ])
    func aLineIsOneLine(_ text: String, _ expected: String) {
        #expect(TerminalText.line(text, styles: styles).unicodeScalars.elementsEqual(expected.unicodeScalars))
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

import SafeText
import Testing

/// Text from a host never becomes markup of a page.
struct PageTextTests {
    /// Marks, joiners and letters that Swift combines with their neighbours into one character.
    static let joining = ["", "\u{301}", "\u{d4e}", "\u{200d}", "\u{600}", "\u{110bd}", "\u{fe0f}", "\u{20dd}"]

    @Test(arguments: joining, joining)
    func combiningMarksNeverPreventEscaping(_ before: String, _ after: String) {
        for (raw, html) in [("<", "&lt;"), (">", "&gt;"), ("&", "&amp;"), ("\"", "&quot;"), ("'", "&#39;")] {
            let escaped = HTML.escaped(before + raw + after)
            #expect(!escaped.unicodeScalars.contains { "<>\"'".unicodeScalars.contains($0) })
            #expect(Array(escaped.utf8).firstRange(of: Array(html.utf8)) != nil)
        }
        for raw in ["|", "<", "`", "*", "[", "]", "\\"] {
            let escaped = Markdown.escaped("a" + before + raw + after)
            for (index, byte) in escaped.utf8.enumerated() where "|<`*[]".utf8.contains(byte) {
                #expect(Array(escaped.utf8)[index - 1] == 0x5c)
            }
        }
    }

    @Test(
        arguments: [
            ("<b>x</b>", "&lt;b>x&lt;/b>"), ("a | b", "a &#124; b"), (#"a\|b"#, "a&#92;&#124;b"),
            ("![i](https://x)", "!\\[i\\](https:/&#47;x)"), ("www.x.org new.txt", "www&#46;x.org new.txt"),
            ("*a* _b_ `c`", "\\*a\\* \\_b\\_ \\`c\\`"), ("# a", "\\# a"), ("- a - b", "\\- a - b"),
            ("&lt;", "&amp;lt;"),
            ("core-1: up -> down", "core-1: up -> down"), ("a\nb", "a&#92;u{a}b"),
        ])
    func markdownIsEscaped(_ text: String, _ expected: String) { #expect(Markdown.escaped(text) == expected) }

    @Test(arguments: [("a b", "`a b`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("a\nb", "`a\\u{a}b`")])
    func theCodeFenceIsLongerThanAnyRunOfBackticksInside(_ text: String, _ expected: String) {
        #expect(MarkdownText(code: text).written == expected)
    }
}

import SafeText
import Testing

/// Text from outside is cut where its bytes say so, whatever Swift takes for one character.
struct ScanTests {
    @Test(
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\r\nb\r\n", ["a", "b"]), ("a\n\nb", ["a", "", "b"]),
            ("\r\n", [""]), ("a\rb\n", ["a\rb"]), ("a\u{2028}b\u{85}c\n", ["a\u{2028}b\u{85}c"]),
            // A mark would join a line end of its own kind, and does not join this one.
            ("a\n\u{301}b", ["a", "\u{301}b"]),
        ] as [(String, [String])])
    func linesEndAtLineFeeds(_ text: String, _ expected: [String]) { #expect(text.lines.map(String.init) == expected) }

    @Test func fieldsAreSeparatedByBytes() {
        #expect("a b\tc  d".fields().map(String.init) == ["a", "b", "c", "d"])
        #expect("a \u{301}b".fields().map(String.init) == ["a", "\u{301}b"])
        #expect("a\u{a0}b".fields().count == 1)
        #expect("a:\u{301}b".fields(separatedBy: ":").count == 2)
        #expect(" ".fields().isEmpty)
    }

    @Test func whatIsLookedForIsFoundUnderAMark() {
        #expect("-\u{301}x".begins(with: "-"))
        #expect("a=\u{301}b".holds(anyOf: "="))
        #expect(!"é".begins(with: "e"))
    }
}

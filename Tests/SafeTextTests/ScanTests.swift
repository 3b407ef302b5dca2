import SafeText
import Testing

/// Text from outside is split by its bytes, regardless of what Swift considers one character.
struct ScanTests {
    @Test(
        arguments: [
            ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\r\nb\r\n", ["a", "b"]), ("a\n\nb", ["a", "", "b"]),
            ("\r\n", [""]), ("a\rb\n", ["a\rb"]), ("a\u{2028}b\u{85}c\n", ["a\u{2028}b\u{85}c"]),
            // A combining mark does not change where the line ends.
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

    @Test func searchesFindTextUnderACombiningMark() {
        #expect("-\u{301}x".begins(with: "-"))
        #expect("a=\u{301}b".holds(anyOf: "="))
        #expect(!"é".begins(with: "e"))
        #expect("a: /\u{301}b".holds(": /"))
        #expect("x${\u{301}a}".holds("${"))
        #expect("a\r\n".holds("\n") && "a\r\nb".holds(anyOf: "\n"))
        #expect(!"e\u{301}".holds("\u{e9}"))
    }

    @Test func piecesAreSplitAtWholeSeparators() {
        #expect("a, b,c d".pieces(separatedBy: ", ").map(String.init) == ["a", "b,c d"])
        #expect(", a, , ".pieces(separatedBy: ", ").map(String.init) == ["", "a", "", ""])
        #expect("a, \u{301}b".pieces(separatedBy: ", ").map(String.init) == ["a", "\u{301}b"])
        #expect("a\r\nb".pieces(separatedBy: "\n").map(String.init) == ["a\r", "b"])
        #expect("".pieces(separatedBy: ", ").map(String.init) == [""])
    }

    @Test func textIsCutAtTheFirstOrTheLastSeparator() {
        func halves(_ cut: (before: Substring, after: Substring)?) -> [String]? {
            cut.map { [String($0.before), String($0.after)] }
        }
        #expect(halves("a:b:c".cut(at: ":")) == ["a", "b:c"])
        #expect(halves("a:b:c".cut(atLast: ":")) == ["a:b", "c"])
        #expect(halves("a:\u{301}b".cut(at: ":")) == ["a", "\u{301}b"])
        #expect(halves("a:b:\u{301}".cut(atLast: ":")) == ["a:b", "\u{301}"])
        #expect(halves("a\r\nb".cut(at: "\n")) == ["a\r", "b"])
        #expect(halves("a\r\nb".cut(atLast: "\r")) == ["a", "\nb"])
        #expect(halves(":".cut(at: ":")) == ["", ""])
        #expect(halves("a".cut(at: ":")) == nil)
        #expect(halves("".cut(atLast: ":")) == nil)
        #expect(halves("a:b:c".dropFirst(2).cut(at: ":")) == ["b", "c"])
    }

    @Test func suffixesAreComparedAsBytes() {
        #expect("a.pub".ends(with: ".pub"))
        #expect(!"b".ends(with: ".pub"))
        #expect("a\r\n".ends(with: "\n"))
        #expect(!"a/\u{301}".ends(with: "/"))
        #expect(!"e\u{301}".ends(with: "\u{e9}"))
    }

    @Test func prefixesAndSuffixesAreRemovedAsBytes() {
        func text(_ rest: Substring?) -> String? { rest.map { String($0) } }
        #expect(text("sha256:\u{301}a".rest(after: "sha256:")) == "\u{301}a")
        #expect(text("\r\na".rest(after: "\r")) == "\na")
        #expect("sha1:a".rest(after: "sha256:") == nil)
        #expect(text("a".rest(after: "a")) == "")
        #expect(text("a\u{301}.pub".rest(before: ".pub")) == "a\u{301}")
        #expect(text("a\r\n".rest(before: "\n")) == "a\r")
        #expect("a.pub\u{301}".rest(before: ".pub") == nil)
    }

    @Test func textIsReadUpToASeparator() {
        #expect(String("a/b?c".prefix(upToAnyOf: "?/")) == "a")
        #expect(String("a/\u{301}b".prefix(upToAnyOf: "/")) == "a")
        #expect(String("a\r\nb".prefix(upToAnyOf: "\n")) == "a\r")
        #expect(String("ab".prefix(upToAnyOf: "/")) == "ab")
    }

    @Test func spaceAroundATextIsTrimmed() {
        #expect(String(" \t a b \r\n".trimmed) == "a b")
        #expect(String(" \u{301}a".trimmed) == "\u{301}a")
        #expect(String("\u{a0}a".trimmed) == "\u{a0}a")
        #expect(String(" \r\n".trimmed) == "")
        #expect(String("".trimmed) == "")
    }
}

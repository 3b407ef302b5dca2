import ArgumentParser
import Foundation
import SafeText
import Testing
import UpgradeDomain

@testable import Commands

/// What reaches a terminal is safe, aligned and fits.
struct OutputTests {
    @Test(arguments: [
        ("\u{1b}[2J\u{1b}]0;owned\u{7}", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"), ("a\rb\nc\td", "a\\u{d}b\\u{a}c\\u{9}d"),
        ("\u{9b}31m", "\\u{9b}31m"), ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
        ("zero\u{200b}width", "zero\\u{200b}width"), ("arabic\u{61c}mark", "arabic\\u{61c}mark"),
        ("soft\u{ad}hyphen", "soft\\u{ad}hyphen"), ("tag\u{e0041}", "tag\\u{e0041}"), ("\u{2060}", "\\u{2060}"),
        ("plain é 漢", "plain é 漢"), ("\u{2028}", "\\u{2028}"), ("\u{0}\u{7f}", "\\u{0}\\u{7f}"),
    ])
    func untrustedTextIsEscaped(_ text: String, _ shown: String) { #expect(TerminalText.escaped(text) == shown) }

    @Test func widthCountsColumnsAndNotOurOwnStyles() {
        let style = Style(isEnabled: true)
        #expect(TerminalText.width(style.red("abc")) == 3)
        #expect(TerminalText.width("漢字") == 4)
        #expect(TerminalText.width("e\u{301}") == 1)
        #expect(TerminalText.clipped("abcdef", to: 4) == "abc…")
        #expect(TerminalText.clipped("abc", to: 3) == "abc")
    }

    @Test func wrappingKeepsTheIndentAndTheWidth() {
        let text = "  label      " + Array(repeating: "word", count: 30).joined(separator: " ")
        let lines = TerminalText.wrapped(text, to: 60, indent: "             ")
        #expect(lines.count > 2)
        #expect(lines.allSatisfy { TerminalText.width($0) <= 60 })
        #expect(lines[0].hasPrefix("  label"))
        #expect(lines[1].hasPrefix("             word"))
    }

    @Test(arguments: [60, 200])
    func aTableFitsItsWidth(_ width: Int) {
        let rows = [
            ["core-1", "ok", Array(repeating: "detail", count: 20).joined(separator: " ")], ["c", "failed", "short"],
        ]
        let lines = TextTable(headers: ["HOST", "RESULT", "PROBLEM"], rows: rows).lines(width: width, style: .plain)
        #expect(lines.allSatisfy { TerminalText.width($0) <= width })
        #expect(lines[0] == "HOST    RESULT  PROBLEM")
        #expect(lines.last == "c       failed  short")
    }

    @Test func aLiveRegionDrawsInPlaceAndNothingWhereNothingChanged() {
        var region = LiveRegion()
        #expect(region.update(["a", "b"]) == "\u{1b}[2Ka\n\u{1b}[2Kb\n")
        #expect(region.update(["a", "b"]) == "")
        #expect(region.update(["c"]) == "\u{1b}[2A\u{1b}[2Kc\n\u{1b}[0J")
    }

    @Test func anErrorNamesTheConsequenceAndTheNextCommand() {
        let error = CommandError(.refused, "x is \u{1b}bad", consequence: "Nothing was stored.", next: "lockflight y")
        #expect(
            Renderer.lines(of: error, .plain)
                == ["error: x is \\u{1b}bad", "  Nothing was stored.", "  next: lockflight y"])
        #expect(Renderer.lines(of: error, Style(isEnabled: true))[0].hasPrefix("\u{1b}[31merror:"))
    }

    @Test func exitCodesAreDistinctAndDocumented() {
        let codes = ExitStatus.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(ExitStatus.usage.rawValue == 64)
        let help = Lockflight.helpMessage(columns: 200)
        for status in ExitStatus.allCases { #expect(help.contains("\(status.rawValue)\t\(status.meaning)")) }
    }
}

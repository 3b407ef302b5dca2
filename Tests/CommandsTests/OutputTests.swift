import ArgumentParser
import Foundation
import OperatorCommands
import SafeText
import Testing
import UpgradeDomain

@testable import Commands
@testable import RunViews

/// Output on a terminal is safe, aligned and fits its width.
struct OutputTests {
    @Test(arguments: [
        ("\u{1b}[2J\u{1b}]0;owned\u{7}", "\\u{1b}[2J\\u{1b}]0;owned\\u{7}"), ("a\rb\nc\td", "a\\u{d}b\\u{a}c\\u{9}d"),
        ("\u{9b}31m", "\\u{9b}31m"), ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
        ("zero\u{200b}width", "zero\\u{200b}width"), ("arabic\u{61c}mark", "arabic\\u{61c}mark"),
        ("soft\u{ad}hyphen", "soft\\u{ad}hyphen"), ("tag\u{e0041}", "tag\\u{e0041}"), ("\u{2060}", "\\u{2060}"),
        ("plain é 漢", "plain é 漢"), ("\u{2028}", "\\u{2028}"), ("\u{0}\u{7f}", "\\u{0}\\u{7f}"),
    ])
    func untrustedTextIsEscaped(_ text: String, _ shown: String) { #expect(Terminal.escaped(text) == shown) }

    @Test func widthCountsColumnsAndNotOurOwnStyles() {
        let style = Style(isEnabled: true)
        func width(_ text: TerminalText) -> Int { text.width }
        func clipped(_ text: TerminalText, _ columns: Int) -> TerminalText { text.clipped(to: columns) }
        #expect(width(style.red("abc")) == 3)
        #expect(width("漢字") == 4)
        #expect(width("e\u{301}") == 1)
        #expect(clipped("abcdef", 4) == "abc…")
        #expect(clipped("abc", 3) == "abc")
    }

    @Test func wrappingKeepsTheIndentAndTheWidth() {
        let text: TerminalText = "  label      " + Array(repeating: "word", count: 30).joined(separator: " ")
        let lines = text.wrapped(to: 60, indent: 13)
        #expect(lines.count > 2)
        #expect(lines.allSatisfy { $0.width <= 60 })
        #expect(lines[0].written.hasPrefix("  label"))
        #expect(lines[1].written.hasPrefix("             word"))
    }

    @Test(arguments: [60, 200])
    func aTableFitsItsWidth(_ width: Int) {
        let rows: [[TerminalText]] = [
            ["core-1", "ok", Array(repeating: "detail", count: 20).joined(separator: " ")], ["c", "failed", "short"],
        ]
        let lines = TextTable(headers: ["HOST", "RESULT", "PROBLEM"], rows: rows).lines(width: width, style: .plain)
        #expect(lines.allSatisfy { $0.width <= width })
        #expect(lines[0] == "HOST    RESULT  PROBLEM")
        #expect(lines.last == "c       failed  short")
    }

    @Test func aLiveRegionRedrawsOnlyWhatChanged() {
        var region = LiveRegion()
        let size = TerminalSize(columns: 80, rows: 24)
        #expect(region.update(["a", "b"], in: size) == "\u{1b}[2Ka\n\u{1b}[2Kb\n")
        #expect(region.update(["a", "b"], in: size) == "")
        #expect(region.update(["c"], in: size) == "\u{1b}[2A\u{1b}[2Kc\n\u{1b}[0J")
    }

    @Test func aLiveRegionNeverFillsItsTerminal() {
        var region = LiveRegion()
        let lines = (1...40).map { "line \($0) of many" as TerminalText }
        let first = region.update(lines, in: TerminalSize(columns: 8, rows: 10))
        #expect(first.split(separator: "\n").count == 9 && first.contains("line 9 …") && !first.contains("line 10"))
        #expect(region.update(["x"], in: TerminalSize(columns: 8, rows: 6)).hasPrefix("\u{1b}[5A"))
        // A terminal that became narrower has wrapped the lines that were drawn.
        #expect(region.update(["x"], in: TerminalSize(columns: 7, rows: 6)).hasPrefix("\u{1b}[H\u{1b}[0J"))
        #expect(region.update(["x"], in: TerminalSize(columns: 9, rows: 6)).hasPrefix("\u{1b}[1A"))
        let red = Style(isEnabled: true).red("abcdefgh")
        #expect(red.clipped(to: 4).written == "\u{1b}[31mabc…\u{1b}[0m")
    }

    @Test func anErrorNamesTheConsequenceAndTheNextCommand() {
        let error = CommandError(
            .refused, "x is \u{1b}bad", consequence: "Nothing was stored.", next: .status(run: "r-1 2"))
        #expect(
            Renderer.lines(of: error, .plain, CommandLines())
                == ["error: x is \\u{1b}bad", "  Nothing was stored.", "  next: lockflight status 'r-1 2'"])
        #expect(
            Renderer.lines(of: error, Style(isEnabled: true), CommandLines())[0].written.hasPrefix("\u{1b}[31merror:"))
    }

    @Test func anEmptyReasonCountsAsMissing() throws {
        let context = Context(
            commandLines: CommandLines(), ledgerPath: "", isJSON: true, style: .plain, width: 80, isTerminal: false,
            environment: [:])
        for given in [nil, ""] {
            let error = #expect(throws: CommandError.self) { _ = try context.reason(given, for: "to abort r-1") }
            #expect(error?.status == .usage)
        }
        #expect(try context.reason("disk", for: "to abort r-1") == "disk")
    }

    @Test(.enabled(if: getuid() == 0))
    func aLedgerForAGroupIsMadeInAFolderThatRootMadeForIt() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lockflight-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let context = Context(
            commandLines: CommandLines(), ledgerPath: folder + "/ledger.sqlite", isJSON: false, style: .plain,
            width: 80, isTerminal: false, environment: [:])
        let group = try #require(getgrgid(getgid()).map { String(cString: $0.pointee.gr_name) })
        for (given, mode) in [("no-such-group", 0o2770), (group, 0o700), (group, 0o2777)] {
            #expect(chmod(folder, mode_t(mode)) == 0)
            let command = try LedgerInit.parse(["--group", given])
            await #expect(throws: CommandError.self) { _ = try await command.perform(context) }
        }
        #expect(chmod(folder, 0o2770) == 0)
        _ = try await LedgerInit.parse(["--group", group]).perform(context)
        var status = stat()
        #expect(stat(context.ledgerPath, &status) == 0 && status.st_mode & 0o777 == 0o660)
        // No ledger is created over an existing one.
        await #expect(throws: CommandError.self) { _ = try await LedgerInit.parse([]).perform(context) }
    }

    @Test func exitCodesAreDistinctAndDocumented() {
        let codes = ExitStatus.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(ExitStatus.usage.rawValue == 64)
        let help = Lockflight.helpMessage(columns: 200)
        for status in ExitStatus.allCases { #expect(help.contains(status.row)) }
    }
}

import Testing

/// Tests each rule with a planted violation and with a correct version of the same code.
@Suite struct PlantedViolationTests {
    private func imports(_ path: String, _ text: String) -> [Violation] {
        ImportRules.violations(in: SourceFile(path: path, text: text))
    }

    private func style(_ path: String, _ text: String) -> [Violation] {
        StyleRules.violations(in: SourceFile(path: path, text: text))
    }

    @Test(arguments: [
        ("Sources/SSHTransport/A.swift", "import GRDB"),
        ("coordinator/Commands/A.swift", "internal import GRDB"),
        ("coordinator/Commands/A.swift", "import CLibSSH2"),
        ("Sources/Ledger/A.swift", "import Yams"), ("coordinator/RunViews/A.swift", "import Logging"),
        ("coordinator/CoordinatorRuntime/A.swift", "import Ledger"),
        ("coordinator/CoordinatorRuntime/A.swift", "public import SSHTransport"),
        ("coordinator/CoordinatorRuntime/A.swift", "import Inventory"),
        ("coordinator/CoordinatorRuntime/A.swift", "import LabFleet"),
        ("Sources/SafeText/A.swift", "import UpgradeDomain"),
        ("Sources/UpgradeDomain/A.swift", "import RolloutEngine"),
        ("Sources/UpgradeDomain/A.swift", "import Glibc"),
        ("Sources/RolloutEngine/A.swift", "import FoundationEssentials"),
        ("Sources/RolloutEngine/A.swift", "import Ledger"),
        ("Sources/AgentProtocol/A.swift", "import Foundation"),
        ("agent/AgentRuntime/A.swift", "import struct Foundation.Data"),
    ])
    func aBannedImportIsFound(path: String, text: String) {
        #expect(Set(imports(path, "// first\n" + text + "\n").map(\.line)) == [2], "\(path): \(text)")
    }

    @Test(arguments: [
        ("Sources/Ledger/A.swift", "import GRDB"), ("coordinator/FleetAccess/A.swift", "package import Logging"),
        ("Sources/SSHTransport/A.swift", "internal import CLibSSH2"),
        ("Sources/UpgradeDomain/A.swift", "import SafeText"),
        ("Sources/RolloutEngine/A.swift", "public import UpgradeDomain"),
        ("agent/AgentRuntime/A.swift", "import FoundationEssentials"),
        ("Sources/UpgradeDomain/A.swift", "// import Foundation\nlet a = \"import GRDB\""),
        ("Tests/LedgerTests/A.swift", "import GRDB"),
    ])
    func anAllowedImportIsNotReported(path: String, text: String) {
        #expect(imports(path, text) == [], "\(path): \(text)")
    }

    /// Files that each need the next one, while the last needs the first.
    private func circle(of count: Int, in folder: String = "Sources/Ledger", closed: Bool = true) -> [SourceFile] {
        (0..<count).map { index in
            let next = (index + 1) % count
            let need = closed || next != 0 ? "    let next: Part\(next)\n" : "    // Part0\n    let a = \"Part0\"\n"
            return SourceFile(path: "\(folder)/\(index).swift", text: "package struct Part\(index) {\n\(need)}\n")
        }
    }

    @Test func aCircleOfFilesIsFound() {
        #expect(CircleRules.violations(in: circle(of: 4)).isEmpty)
        #expect(CircleRules.violations(in: circle(of: 5)).map(\.path) == ["Sources/Ledger/0.swift"])
        #expect(CircleRules.violations(in: circle(of: 9, closed: false)).isEmpty)
        // Types with the same name in two targets are different types.
        let (one, other) = (circle(of: 5), circle(of: 5, in: "Sources/LabFleet"))
        #expect(CircleRules.violations(in: Array(one[..<3] + other[3...])).isEmpty)
    }

    @Test func aTargetThatOutgrowsItsSizeIsFound() {
        let limit = SizeRules.lines["coordinator/RunRecord"] ?? 0
        let text = String(repeating: "\n", count: limit)
        let file = SourceFile(path: "coordinator/RunRecord/A.swift", text: text)
        #expect(SizeRules.violations(in: [file]).map(\.path) == ["coordinator/RunRecord"])
    }

    @Test func aTargetThatNoListNamesIsFound() {
        let files = [
            SourceFile(path: "Sources/New/A.swift", text: ""), SourceFile(path: "Sources/Ledger/A.swift", text: ""),
        ]
        #expect(ImportRules.unlisted(files).map(\.path) == ["Sources/New/A.swift"])
    }

    @Test(arguments: [
        ("Sources/UpgradeDomain/A.swift", "let now = Date()"),
        ("Sources/RolloutEngine/A.swift", "let now = ContinuousClock.now"),
        ("Sources/RolloutEngine/A.swift", "var generator = SystemRandomNumberGenerator()"),
        ("Sources/RolloutEngine/A.swift", "let id = Int.random(in: 1...2)"),
        ("Sources/UpgradeDomain/A.swift", "let all = ProcessInfo.processInfo"),
        ("Sources/UpgradeDomain/A.swift", "let home = getenv(\"HOME\")"),
        ("Sources/RolloutEngine/A.swift", "    default: break"),
        ("Tests/LedgerTests/A.swift", "let ledger = try! open()"),
        ("coordinator/Commands/Plan/A.swift", "print(\"done\")"),
        ("coordinator/Commands/Plan/A.swift", "    exit(1)"),
        ("coordinator/Commands/Output/A.swift", "print(\"done\")"),
        ("Sources/Ledger/A.swift", "fputs(a, stderr)"),
        ("agent/AgentRuntime/A.swift", "write(STDOUT_FILENO, a, 1)"),
        ("inventory/Inventory/A.swift", "FileHandle.standardError.write(a)"),
        ("Sources/Ledger/A.swift", "let a = \"run 'lockflight ledger verify'\""),
        ("coordinator/Commands/Plan/A.swift", "    next: lockflight plan add FILE"),
        ("Sources/Ledger/A.swift", "let a = \"over \\(hosts.count) hosts\""),
        ("Sources/Ledger/A.swift", "#if canImport(Glibc)"),
        ("Sources/Ledger/A.swift", "@frozen public struct A {}"),
        ("bench/A.swift", "    public private(set) var a = 1"),
        ("Tests/TestSupport/A.swift", "public import Ledger"),
        ("agent/AgentRuntime/A.swift", "    #elseif os(macOS)"),
        ("Tests/LedgerTests/A.swift", "usleep(5)"),
        ("Tests/LedgerTests/A.swift", "Thread.sleep(forTimeInterval: 1)"),
        ("Tests/LedgerTests/A.swift", "sleep(1)"),
    ])
    func aLineAgainstTheStyleIsFound(path: String, text: String) {
        #expect(style(path, "\n" + text + "\n").map(\.line) == [2], "\(path): \(text)")
    }

    @Test(arguments: [
        ("Sources/RolloutEngine/A.swift", "// default: Date()\nlet counts = all[key, default: 0]"),
        ("Sources/Ledger/A.swift", "let now = Date()\nswitch a { default: break }"),
        ("Tests/LedgerTests/A.swift", "let text = \"try! sleep(1)\""),
        ("Tests/LedgerTests/A.swift", "while now < deadline {\n    usleep(5)\n}"),
        ("coordinator/Commands/Output/Renderer.swift", "print(\"done\")"),
        ("bench/Scale/A.swift", "print(\"done\")"),
        ("Sources/Ledger/A.swift", "let a = \"over \\(counted(hosts.count, \"host\")), \\(a.count) in all\""),
        ("coordinator/Commands/Plan/A.swift", "    Example: lockflight plan add FILE"),
        ("coordinator/Commands/Plan/A.swift", "/// After `lockflight plan add`."),
        ("coordinator/Commands/Plan/A.swift", "renderer.print(1)\nlet footprint = 1; fingerprint(1)"),
    ])
    func aLineWithinTheStyleIsNotReported(path: String, text: String) {
        #expect(style(path, text) == [], "\(path): \(text)")
    }

    @Test func aSecondCommandInAFileIsFound() {
        let one = "struct Show: LockflightCommand {\n}\n"
        let two = one + "private struct Hide: AsyncParsableCommand {\n}\n"
        #expect(style("coordinator/Commands/Plan/A.swift", one) == [])
        #expect(style("coordinator/Commands/Plan/A.swift", two).map(\.line) == [3])
        #expect(style("bench/Scale/A.swift", two) == [])
    }

    @Test(arguments: [
        ("Sources/SSHTransport/A.swift", "if line.hasPrefix(start) {}"),
        ("agent/AgentRuntime/A.swift", "let isKey = path.hasSuffix(\".pub\")"),
        ("Sources/UpgradeDomain/A.swift", "let parts = text.split(separator: \"/\")"),
        ("coordinator/Commands/Plan/A.swift", "let parts = text.components(separatedBy: \"/\")"),
        ("coordinator/Commands/Output/A.swift", "let word = text.trimmingCharacters(in: .whitespaces)"),
        ("Sources/SSHTransport/A.swift", "let lines = text.split(whereSeparator: \\.isNewline)"),
        ("agent/AgentRuntime/A.swift", "let word = text.prefix { !$0.isWhitespace }"),
        ("agent/AgentRuntime/A.swift", "let digits = text.prefix { $0.isNumber }"),
        ("inventory/Inventory/A.swift", "let isWord = text.allSatisfy { character in character.isLetter }"),
        ("inventory/Inventory/A.swift", "let isDigest = text.allSatisfy(\\.isHexDigit)"),
        ("inventory/Inventory/A.swift", "let colon = text.lastIndex(of: \":\")"),
        ("Sources/Ledger/A.swift", "let line = text.firstIndex(of: \"\\n\")"),
        ("Sources/UpgradeDomain/A.swift", "let digits = text.drop { $0 != \":\" }"),
        ("Sources/SSHTransport/A.swift", "let code = text.prefix(while: { $0 != \"=\" })"),
        ("Sources/UpgradeDomain/A.swift", "if text.contains(\"/\") {}"),
        ("inventory/Inventory/A.swift", "if text.contains(\"${\") {}"),
        ("Sources/Ledger/A.swift", "if text.contains(\"\\n\") {}"),
    ])
    func aCharacterComparisonIsFound(path: String, text: String) {
        #expect(style(path, "\n" + text + "\n").map(\.line) == [2], "\(path): \(text)")
    }

    @Test(arguments: [
        ("Sources/SafeText/A.swift", "if text.hasPrefix(start) {}"),
        ("Sources/LabFleet/A.swift", "let parts = text.split(separator: \"/\")"),
        ("Tests/LedgerTests/A.swift", "if text.contains(\"/\") {}"),
        ("bench/Scale/A.swift", "if text.contains(\"/\") {}"),
        ("Sources/Ledger/A.swift", "// text.contains(\"/\"), text.hasPrefix(start)\nlet text = \".hasPrefix(\""),
        ("Sources/UpgradeDomain/A.swift", "let isSpace = scalar.properties.isWhitespace"),
        ("Sources/UpgradeDomain/A.swift", "let colon = text.utf8.firstIndex(of: 0x3a)"),
        ("agent/AgentRuntime/A.swift", "let words = bytes.split(separator: UInt8(ascii: \" \"))"),
        ("agent/AgentRuntime/A.swift", "if folder.contains(\"result.json\") {}"),
        ("coordinator/Commands/Fleet/A.swift", "let build = parts.lastIndex(of: \".build\")"),
        ("inventory/Inventory/A.swift", "let named = files.filter { $0 != \"none\" }"),
        ("inventory/Inventory/A.swift", "if text.begins(with: \"/\"), !text.holds(anyOf: \":\") {}"),
    ])
    func aByteComparisonIsNotReported(path: String, text: String) {
        #expect(style(path, text) == [], "\(path): \(text)")
    }

    @Test func codeInsideAnInterpolationIsChecked() {
        #expect(style("Sources/Ledger/A.swift", "let a = \"words \\(try! b(\")\")) try! words\"").count == 1)
        #expect(style("Sources/Ledger/A.swift", "let a = #\"\\(try! b)\"#\nlet c = \"\"\"\n  try! d\n  \"\"\"") == [])
    }

    @Test func aFunctionOver70LinesIsFound() {
        func function(lines: Int) -> String {
            "struct A {\n    func long(\n        a: Int\n    ) {\n"
                + String(repeating: "        if b { c() }\n", count: lines - 4)
                + "    }\n    func short() {}\n}\n"
        }
        #expect(style("Sources/Ledger/A.swift", function(lines: 70)) == [])
        #expect(
            style("Sources/Ledger/A.swift", function(lines: 71))
                == [Violation(path: "Sources/Ledger/A.swift", line: 2, problem: "long has 71 lines, more than 70")])
    }

    @Test func aProtocolRequirementHasNoLength() {
        let code = ["protocol P {", "    func a()", "    func b() throws(E) -> Int", "}", "func c() {", "}"]
        #expect(SwiftCode.functions(in: code).map(\.name) == ["c"])
    }

    @Test func aFileOver500LinesIsFound() {
        #expect(style("Sources/Ledger/A.swift", String(repeating: "a\n", count: 500)) == [])
        #expect(style("Sources/Ledger/A.swift", String(repeating: "a\n", count: 501)).map(\.line) == [501])
    }

    @Test func aPlaceOfOneMachineIsFoundInAnyFile() {
        let text = "cd ~\ncd /wo" + "rk/main\nexport PATH=/opt/sw" + "ift/bin\n$root/wo" + "rk bench/.wo" + "rk/a\n"
        let found = PageRules.machinePlaces(in: SourceFile(path: "docs/a.md", text: text))
        #expect(found.map(\.line) == [2, 3])
    }

    @Test func aLinkThatLeadsNowhereIsFound() {
        let text = "[a](b.md) [c](../README.md#top)\n[d](missing.md) [e](https://example.org) [f](#here)\n"
        let found = PageRules.brokenLinks(in: SourceFile(path: "docs/a.md", text: text)) {
            ["docs/b.md", "README.md"].contains($0)
        }
        #expect(found == [Violation(path: "docs/a.md", line: 2, problem: "the link to missing.md leads nowhere")])
    }

    @Test func aPathThatDoesNotExistIsFound() {
        let text = "`Sources/A.swift` `Tests/GROUP/A.swift`\n`agent/B+C.swift`, `make test`, `a/b`\n"
        let found = PageRules.missingPaths(in: SourceFile(path: "docs/a.md", text: text)) { $0 == "Sources/A.swift" }
        #expect(found == [Violation(path: "docs/a.md", line: 2, problem: "there is no agent/B+C.swift")])
        #expect(PageRules.missingPaths(in: SourceFile(path: "CHANGELOG.md", text: text)) { _ in false }.isEmpty)
    }

    @Test func aHoldCodeThatThePageLeavesOutIsFound() {
        let codes = PageRules.holdCodes(
            in: SourceFile(path: "A.swift", text: "case a = \"disk-full\"\ncase b = \"path-failed\""))
        #expect(codes == ["disk-full", "path-failed"])
        let page = SourceFile(path: "docs/a.md", text: "| `disk-full` | no path-failed |")
        #expect(PageRules.missing(codes, in: page).map(\.problem) == ["`path-failed` is not explained"])
    }

    @Test func anExitCodeWithoutARowIsFound() {
        let codes = PageRules.exitCodes(in: SourceFile(path: "A.swift", text: "case a = 0\ncase b = 13\ncase c = 1"))
        #expect(codes == ["0", "13", "1"])
        let page = SourceFile(path: "docs/a.md", text: "text 1\n| 0 | done |\n| 13 | refused |")
        #expect(PageRules.missingRows(codes, in: page).map(\.problem) == ["exit code 1 has no row"])
    }

    @Test func aTestThatDoesNotExistIsFound() {
        let known = PageRules.testNames(in: [
            SourceFile(path: "Tests/A/A.swift", text: "struct ATests {\n@Test func holds() {}\n}")
        ])
        let page = SourceFile(path: "docs/a.md", text: "| `ATests.holds` |\n| `ATests.invented`, `Type.member` |\n")
        #expect(PageRules.unknownTests(in: page, known: known).map(\.line) == [2])
    }

    @Test func aRuleWithoutAnExampleOnEachSideIsFound() {
        let rows = [
            "| a | `ATests.b` | `ATests.c` |", "| a | `ATests.b` | the same test (c) |", "| a | b | `ATests.c` |",
        ]
        let lines =
            ["# Evidence, rule by rule", "| rule | stopped | let through |", "|---|---|---|"] + rows + ["| a | b |"]
        let page = SourceFile(path: "docs/a.md", text: lines.joined(separator: "\n"))
        #expect(PageRules.rulesWithoutExamples(in: page).map(\.line) == [6, 7])
    }
}

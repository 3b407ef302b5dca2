import Foundation

/// Rules that what the pages name exists.
enum PageRules {
    /// Paths of one machine mean nothing to others. Only this file spells them, in two halves.
    private static let machinePlaces = ["/wo" + "rk/", "/opt/sw" + "ift"]

    static func machinePlaces(in file: SourceFile) -> [Violation] {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().flatMap { index, line in
            machinePlaces.filter { line.contains("\($0)") && !isPartOfLongerPath(line, $0) }.map {
                Violation(path: file.path, line: index + 1, problem: "names a place of one machine: \($0)")
            }
        }
    }

    /// `bench/.work/` and similar paths are our own.
    private static func isPartOfLongerPath(_ line: Substring, _ place: String) -> Bool {
        guard let range = line.range(of: place), range.lowerBound > line.startIndex else { return false }
        let before = line[line.index(before: range.lowerBound)]
        return before.isLetter || before.isNumber || before == "." || before == "}"
    }

    /// Paths in backticks that do not exist; a word in capitals is a placeholder. Decisions and the changelog may name
    /// former paths.
    static func missingPaths(in file: SourceFile, exists: (String) -> Bool) -> [Violation] {
        guard file.isPage, file.path != "CHANGELOG.md", !file.isIn(["docs/decisions"]) else { return [] }
        let named = /`((?:Sources|Tests|agent|coordinator|inventory|docs|bench|scripts)\/[\w.+\/-]*\w)`/
        return file.code.enumerated().flatMap { index, line in
            line.matches(of: named).compactMap { match in
                let isOpen = match.1.split(separator: "/").contains { $0.contains(/[A-Z]{4}/) }
                if isOpen || exists(String(match.1)) { return nil }
                return Violation(path: file.path, line: index + 1, problem: "there is no \(match.1)")
            }
        }
    }

    /// Relative links of a page that lead nowhere.
    static func brokenLinks(in file: SourceFile, exists: (String) -> Bool) -> [Violation] {
        guard file.isPage else { return [] }
        let folder = file.path.split(separator: "/").dropLast()
        return file.code.enumerated().flatMap { index, line -> [Violation] in
            line.matches(of: /\]\(([^)\s]+)\)/).compactMap { match in
                let target = match.1.prefix { $0 != "#" }
                if target.isEmpty || target.contains(":") || exists(resolved(String(target), in: folder)) { return nil }
                return Violation(path: file.path, line: index + 1, problem: "the link to \(match.1) leads nowhere")
            }
        }
    }

    private static func resolved(_ target: String, in folder: ArraySlice<Substring>) -> String {
        var parts = Array(folder)
        for part in target.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }

    /// The words that HoldCode.swift declares.
    static func holdCodes(in file: SourceFile) -> [String] {
        file.text.matches(of: /case \w+ = "([a-z-]+)"/).map { String($0.1) }
    }

    /// The numbers that ExitStatus.swift declares.
    static func exitCodes(in file: SourceFile) -> [String] {
        file.text.matches(of: /case \w+ = ([0-9]+)/).map { String($0.1) }
    }

    /// Exit codes without a row of their own in the page's table.
    static func missingRows(_ codes: [String], in file: SourceFile) -> [Violation] {
        codes.filter { !file.text.contains("\n| \($0) | ") }.map {
            Violation(path: file.path, line: 1, problem: "exit code \($0) has no row")
        }
    }

    static func missing(_ words: [String], in file: SourceFile) -> [Violation] {
        words.filter { !file.text.contains("`\($0)`") }.map {
            Violation(path: file.path, line: 1, problem: "`\($0)` is not explained")
        }
    }

    /// Every function of a test suite, as `Suite.name`.
    static func testNames(in files: [SourceFile]) -> Set<String> {
        var names: Set<String> = []
        for file in files where file.isIn(["Tests"]) && file.isSwift {
            var suite = ""
            for (_, line) in file.lines(withAnyOf: ["Tests", "func "]) {
                if let match = line.firstMatch(of: /(?:struct|class|actor|enum|extension) (\w+Tests)/) {
                    suite = String(match.1)
                }
                if let match = line.firstMatch(of: /func (\w+)\(/) { names.insert("\(suite).\(match.1)") }
            }
        }
        return names
    }

    /// The tests that a page names: `Suite.name` in backticks, the suite's name ending in Tests.
    static func namedTests(in file: SourceFile) -> [(name: String, line: Int)] {
        file.code.enumerated().flatMap { index, line in
            line.matches(of: /`(\w+Tests\.\w+)`/).map { (name: String($0.1), line: index + 1) }
        }
    }

    /// Rows of the table of rules that do not name a test for what is refused, or nothing for what is allowed.
    static func rulesWithoutExamples(in file: SourceFile) -> [Violation] {
        var isInside = false
        return file.code.enumerated().compactMap { index, line in
            if line.hasPrefix("#") { isInside = line.hasSuffix("rule by rule") }
            guard isInside, line.hasPrefix("| "), !line.hasPrefix("| rule") else { return nil }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let isStopped = cells.count == 3 && cells[1].contains(/`\w+Tests\.\w+`/)
            let isLetThrough =
                cells.count == 3 && (cells[2].contains(/`\w+Tests\.\w+`/) || cells[2].hasPrefix("the same test ("))
            guard !isStopped || !isLetThrough else { return nil }
            return Violation(path: file.path, line: index + 1, problem: "a rule without an example on each side")
        }
    }

    static func unknownTests(in file: SourceFile, known: Set<String>) -> [Violation] {
        namedTests(in: file).filter { !known.contains($0.name) }
            .map { Violation(path: file.path, line: $0.line, problem: "there is no test \($0.name)") }
    }
}

import FileReading
import Foundation
import Inventory
import Testing

/// Small files that would cost minutes or gigabytes to read, including everything that fuzzing has found.
struct HostileFileTests {
    /// Values that each refer to eight of the previous ones: 8^12 when expanded.
    private static let bomb =
        "version: 1\na0: &a0 [x, x]\n"
        + (1...12).map { "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 8).joined(separator: ", "))]\n" }
        .joined()

    static let refused: [(what: String, text: String, line: Int, says: String)] = [
        ("an anchor that is hashed as a key", bomb + "? *a12\n: 1\n", 2, "anchors are not supported"),
        ("an anchor after a carriage return", "version: 1\r&a a: 1\r", 1, "anchors are not supported"),
        ("an anchor in a flow", "version: 1\nhosts: [1,&a b]\n", 2, "anchors are not supported"),
        (
            "keys within keys", "version: 1\n" + String(repeating: "? ", count: 900) + "x\n", 2,
            "keys that begin with '?'"
        ),
        ("a key without its blank", "version: 1\nhosts: {?a : 1}\n", 2, "keys that begin with '?'"),
        (
            "keys within keys in one line",
            "version: 1\nhosts: " + String(repeating: "{", count: 250) + "a" + String(repeating: ":1}", count: 250), 2,
            "more than 16 brackets"
        ),
        ("lists within lists", String(repeating: "[", count: 100_000), 1, "more than 16 brackets"),
        (
            "lists within lists, a line each", String(repeating: "[\n", count: 100_000), 999,
            "Maximum nesting level"
        ),
    ]

    @Test(arguments: refused.indices)
    func aFileThatWouldGrowIsRefusedBeforeItIsParsed(_ index: Int) throws {
        let (what, text, line, says) = HostileFileTests.refused[index]
        for problems in [Examples.problems(inventory: text), try Examples.problems(plan: text)] {
            let problem = try #require(problems.first, "\(what)")
            #expect(
                problems.count == 1 && problem.line == line && problem.message.contains(says), "\(what): \(problem)")
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func aFileOfOnlyWrongKeysGivesABoundedList() throws {
        let text = "version: 1\n" + (0..<90_000).map { "k\($0): v\n" }.joined()
        #expect(Examples.problems(inventory: text).count == 100)
        #expect(try Examples.problems(plan: text).count == 100)
    }

    /// Text that occurs in commands and addresses and is neither a YAML anchor nor a key.
    @Test func shellTextIsNotMistakenForYAMLSyntax() throws {
        for text in [
            "a && b", "sleep 5 &", "cmd 2>&1", "R&D", "[ -f x ] || exit 3", "what? yes", "http://h/p?a=1&b=2", "a & b",
            "${HOST}:8080", "ls *.txt",
        ] {
            let good = try Examples.text("examples/inventory.yaml")
            let changed = good.replacingOccurrences(of: "site: ams", with: "site: '\(text)'")
            #expect(changed != good && Examples.problems(inventory: changed).isEmpty, "\(text)")
        }
    }
}

import FileReading
import Inventory
import Testing

@testable import InventoryImport

/// Whatever an inventory from elsewhere says is read back from the file that is written of it.
struct WrittenTextTests {
    /// What YAML could take for something else, and some letters. Its reader loses a byte order mark at the start.
    private static let pieces = [
        "a", "B", "7", " ", "  ", "&a", "*a", "?", "- ", ": ", "#", "\"", "\\", "'", "\n", "\t", "{", "}", "[", "]",
        ",", "|", ">", "%", "@",
        "!", "~", "null", "é", "\u{85}", "\u{2028}", "日", "😀", "\u{301}", "\\u0041", "${x}", "{{ y }}",
        "---", "...",
    ]

    @Test func anyTextIsReadBackAsItIs() throws {
        var generator = Seeded(state: 22)
        for _ in 0..<300 {
            let texts = (0..<4).map { _ in
                (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                    WrittenTextTests.pieces.randomElement(using: &generator) ?? ""
                }.joined()
            }
            let members = texts.enumerated().map { index, text in
                FileTree.Member("\(index)\(text)", FileTree(.text(text), line: 0), line: 0)
            }
            let tree = FileTree(.mapping(members), line: 0)
            let read = try FileTree.read(yaml: InventoryText(tree).text, file: "f")
            #expect(read.members.map(\.key) == members.map(\.key), "\(texts)")
            #expect(read.members.map(\.value.text) == texts, "\(texts)")
        }
    }

    @Test func anyTableIsReadWithoutACrash() throws {
        var generator = Seeded(state: 23)
        for _ in 0..<300 {
            let bytes = (0..<40).map { _ in Array("a,;\t\"\r\n ".utf8).randomElement(using: &generator) ?? 0x61 }
            let text = String(decoding: bytes, as: UTF8.self)
            // Neither crashes nor loses a row that has a cell.
            let table = CSVTable(text)
            #expect(table.rows.allSatisfy { row in row.cells.contains { $0.value != nil } }, "\(text.debugDescription)")
            _ = SSHWords(text).route
            _ = try? HostTable.read(text: "name,x\n" + text, file: "f", mapping: nil)
        }
    }

    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}

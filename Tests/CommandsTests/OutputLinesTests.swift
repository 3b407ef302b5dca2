import AgentProtocol
import SafeText
import Testing
import UpgradeDomain

@testable import Commands

struct OutputLinesTests {
    private func lines(_ pieces: [(text: String, dropped: Int64?)]) -> [String] {
        var lines = OutputLines()
        var position: Int64 = 0
        var all: [String] = []
        for (text, dropped) in pieces {
            position += dropped ?? 0
            let piece = OutputReply(
                operation: "o", fromByte: position, bytes: Bytes(Array(text.utf8)), droppedBytes: dropped)
            all += lines.lines(completedBy: piece).map(\.written)
            position += Int64(text.utf8.count)
        }
        return all + lines.end().map(\.written)
    }

    @Test func linesAreCompleteHoweverTheOutputArrives() {
        #expect(lines([("one\ntw", nil), ("o\r\n\nthree", nil)]) == ["one", "two", "", "three"])
        #expect(lines([]) == [])
        #expect(lines([("a\u{1b}[2Jb\n", nil)]) == ["a\\u{1b}[2Jb"])
    }

    @Test func aGapIsNamedBetweenTheLinesAroundIt() {
        #expect(
            lines([("begin", nil), ("end\n", 7)]) == ["begin", "... 7 bytes not kept by the host ...", "end"])
    }

    @Test func aLineWithoutAnEndIsShownInParts() {
        let long = String(repeating: "x", count: OutputLines.lineBytes)
        #expect(lines([(long, nil), (long + "y", nil)]).map(\.utf8.count) == [long.utf8.count, long.utf8.count, 1])
    }

    /// Thousands of short lines in one piece take no longer than their bytes.
    @Test func aPieceOfShortLinesIsOneWalk() {
        let piece = String(repeating: "\n", count: ProtocolLimits.outputSliceBytes)
        #expect(lines(Array(repeating: (piece, nil), count: 4)).count == 4 * ProtocolLimits.outputSliceBytes)
    }
}

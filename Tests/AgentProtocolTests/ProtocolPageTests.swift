import AgentProtocol
import Foundation
import Testing

/// Compares docs/protocol.md with the code.
@Suite struct ProtocolPageTests {
    private let page: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        page = try String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
    }

    private func examples(_ mark: String) -> [String] {
        page.split(separator: "\n").filter { $0.hasPrefix(mark + " {") }.map { String($0.dropFirst(2)) }
    }

    /// A decoded frame encodes to exactly the same members, so the page shows nothing that the agent ignores.
    private func expectSame<Frame: Codable>(_ type: Frame.Type, _ line: String) throws {
        let frame = try LineCodec.decode(type, from: Array(line.utf8))
        let again = Data(try LineCodec.encode(frame))
        let shown = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? NSDictionary
        #expect(try JSONSerialization.jsonObject(with: again) as? NSDictionary == shown, "\(line)")
    }

    @Test func everyExampleRequestIsOneThatTheAgentReads() throws {
        for line in examples(">") { try expectSame(RequestFrame.self, line) }
        let verbs = examples(">").compactMap { line in RequestFrame.verbs.first { line.contains("\"verb\":\"\($0)\"") }
        }
        #expect(Set(verbs) == Set(RequestFrame.verbs))
    }

    @Test func everyExampleReplyIsOneThatTheAgentSends() throws {
        #expect(examples("<").count >= 9)
        for line in examples("<") {
            try expectSame(ReplyFrame.self, line)
            #expect(
                try LineCodec.encode(LineCodec.decode(ReplyFrame.self, from: Array(line.utf8)))
                    == Array((line + "\n").utf8))
        }
    }

    @Test func everyRefusalIsNamed() {
        for code in Refusal.Code.allCases { #expect(page.contains("`\(code.rawValue)`"), "\(code)") }
    }

    @Test func theSharedLimitsMatchTheCode() {
        for limit in [
            ProtocolLimits.lineBytes, ProtocolLimits.nestingDepth, ProtocolLimits.surfaceBytes,
            ProtocolLimits.outputSliceBytes, Int(ProtocolLimits.operationOutputBytes), ProtocolLimits.listEntries,
        ] {
            let digits = Array(String(limit).reversed())
            let grouped = String(
                stride(from: 0, to: digits.count, by: 3)
                    .map { String(digits[$0..<min($0 + 3, digits.count)]) }.joined(separator: ",").reversed())
            #expect(page.contains("| \(grouped)"), "\(grouped)")
        }
    }
}

import AgentProtocol
import Foundation
import Testing
import UpgradeDomain

/// Lines that no well-behaved coordinator sends.
@Suite struct HostileLineTests {
    /// A line, named so that a failure does not print megabytes.
    struct Line: CustomTestStringConvertible, Sendable {
        var name: String
        var text: String
        var code: Refusal.Code?
        var id: UInt32 = 0
        var testDescription: String { name }
    }

    static let lines: [Line] = [
        Line(name: "empty", text: "", code: nil),
        Line(name: "words", text: "nonsense", code: .malformed),
        Line(name: "no verb", text: "{\"id\":7}", code: .malformed, id: 7),
        Line(name: "unknown verb", text: "{\"id\":7,\"verb\":\"shell\",\"body\":{}}", code: .unknownVerb, id: 7),
        Line(name: "negative id", text: "{\"id\":-1,\"verb\":\"journal\"}", code: .malformed),
        Line(name: "huge id", text: "{\"id\":4294967296,\"verb\":\"journal\"}", code: .malformed),
        Line(name: "empty body", text: "{\"id\":7,\"verb\":\"start\",\"body\":{}}", code: .malformed, id: 7),
        Line(name: "array", text: "[1,2,3]", code: .malformed),
        Line(name: "brackets", text: String(repeating: "[", count: 100_000), code: .limitExceeded),
        Line(
            name: "deep", text: String(repeating: "{\"a\":", count: 40) + "1" + String(repeating: "}", count: 40),
            code: .limitExceeded),
        Line(name: "long", text: String(repeating: "x", count: 3_000_000), code: .limitExceeded),
        Line(
            name: "negative offset",
            text: "{\"id\":7,\"verb\":\"attach\",\"body\":{\"operation\":\"op\",\"fromByte\":-1}}",
            code: .malformed, id: 7),
        Line(
            name: "no operation", text: "{\"id\":7,\"verb\":\"settle\",\"body\":{\"operation\":\"\"}}",
            code: .malformed,
            id: 7),
        Line(
            name: "zero byte", text: "{\"id\":7,\"verb\":\"settle\",\"body\":{\"operation\":\"a\\u0000b\"}}",
            code: .malformed, id: 7),
    ]

    @Test(arguments: lines) func aBadLineIsRefusedAndTheNextOneAnswered(line: Line) throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.send(line: line.text)
        if let code = line.code {
            guard case .refused(let refusal) = try session.reply(to: line.id) else { throw Surprise("not refused") }
            #expect(refusal.code == code)
            #expect(refusal.message.utf8.count < 4_096)
        }
        #expect(try session.ask(.journal) == .journal(JournalReply(entries: [])))
    }

    @Test func binaryNoiseNeverEndsTheSession() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        var random = SeededGenerator(seed: 42)
        for _ in 0..<50 {
            let noise = (0..<Int.random(in: 1...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            try session.send(noise.filter { $0 != 0x0a } + [0x0a])
        }
        #expect(try session.ask(.journal) == .journal(JournalReply(entries: [])))
    }

    @Test func unreasonableRequestsAreRefused() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        var request = host.start("op", "true")
        request.command.timeoutSeconds = 0
        #expect(try session.refusal(.start(request)) == .limitExceeded)
        request.command.timeoutSeconds = 9_007_199_254_740_991
        #expect(try session.refusal(.start(request)) == .limitExceeded)
        request.command.timeoutSeconds = 1
        request.command.arguments = []
        #expect(try session.refusal(.start(request)) == .malformed)
        request.command.arguments = ["true"]
        request.command.environment = ["A=B": "c"]
        #expect(try session.refusal(.start(request)) == .malformed)
        request.command.environment = [:]
        request.workingDirectory = "relative"
        #expect(try session.refusal(.start(request)) == .malformed)
        request.workingDirectory = "/"
        request.guardrails = Array(repeating: request.command, count: ProtocolLimits.listEntries + 1)
        #expect(try session.refusal(.start(request)) == .limitExceeded)
    }

    @Test func moreRequestsAtOnceThanTheLimitAreRefused() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        try session.begin(host.start("op", "while [ ! -e go ]; do sleep 0.05; done"))
        var last: UInt32 = 0
        for _ in 0..<17 { last = try session.send(.attach(AttachRequest(operation: "op", fromByte: 0))) }
        guard case .refused(let refusal) = try session.reply(to: last) else { throw Surprise("not refused") }
        #expect(refusal.code == .limitExceeded)
        try host.write("go", "")
        guard case .ended = try session.reply(to: last - 1) else { throw Surprise("not ended") }
    }

    @Test func theEndOfInputEndsTheSessionButAnswersWhatWasAsked() throws {
        let host = try HostUnderTest()
        let session = try host.session()
        let capture = try session.send(
            .capture(
                CaptureRequest(
                    workingDirectory: "/",
                    surfaces: [
                        SurfaceRequest(
                            name: "x", source: .command(ScriptCommand(arguments: ["true"], timeoutSeconds: 5)))
                    ])))
        try session.endInput()
        guard case .surface = try session.reply(to: capture), .captured == (try session.reply(to: capture)) else {
            throw Surprise("the capture was dropped")
        }
        session.waitUntilEnded()
    }
}

/// A seeded random number generator (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

import AgentProtocol
import TestSupport
import Testing
import UpgradeDomain

/// Frames on the wire.
@Suite struct LineCodecTests {
    private let digest = Digest("sha256:" + String(repeating: "a", count: 64))

    private var requests: [AgentRequest] {
        let command = ScriptCommand(
            arguments: ["bash", "./x.sh"], workingDirectory: "w", environment: ["A": "b"], timeoutSeconds: 3)
        let intent = OperationIntent(
            id: "op", placement: Placement(host: "h", layer: "l"), action: .rollback, attempt: 2,
            boundary: .batch(layer: "l", index: 1), planDigest: digest, epoch: 9)
        return [
            .hello(HelloRequest(ledger: "a", epoch: nil)),
            .preflight(
                PreflightRequest(
                    run: "r", workingDirectory: "/w", commands: [command], requires: ["p"], preserve: ["s"])),
            .carry(CarryRequest(files: [.init(name: "check.sh", sha256: digest, body: Bytes([0x61]))])),
            .capture(
                CaptureRequest(
                    workingDirectory: "/w",
                    surfaces: [
                        SurfaceRequest(
                            name: "a", source: .http(HTTPSource(url: "http://127.0.0.1/", timeoutSeconds: 1))),
                        SurfaceRequest(name: "b", source: .command(command)),
                    ])),
            .start(
                StartRequest(
                    intent: intent, run: "r", chainHead: digest, workingDirectory: "/w", guardrails: [command],
                    command: command, usesPreservedScript: true)),
            .attach(AttachRequest(operation: "op", fromByte: 7)), .confirm(ConfirmRequest(operation: "op")),
            .settle(SettleRequest(operation: "op")), .journal,
        ]
    }

    private var replies: [AgentReply] {
        let outcomes: [OperationOutcome] = [
            .exited(code: 1), .signaled(signal: 9), .timedOut(survivors: true), .interrupted(detail: "x"),
            .guardrailRefused(guardrail: "g", code: 2), .notStarted(detail: "y"),
        ]
        return [
            .hello(
                HelloReply(
                    protocolVersion: 1, agentVersion: "v", identity: "i", owner: nil, highestEpoch: .highest,
                    bootID: "b",
                    architecture: "x86_64", hostTime: WallTime(clamping: 5))),
            .preflight(
                PreflightReply(
                    missingScripts: ["a"], missingPaths: [], freeDiskMebibytes: 3, hostTime: WallTime(clamping: 5))),
            .surface(
                SurfaceReply(
                    name: "s", durationMilliseconds: 1, hostTime: WallTime(clamping: 5), resultCode: nil,
                    body: Bytes([0, 255, 10]), truncated: true, instrumentDigest: digest,
                    failure: UnknownReason(.timedOut, "late"))),
            .carried, .captured, .started(id: "op"), .running(id: "op"),
            .output(OutputReply(operation: "op", fromByte: 3, bytes: Bytes(Array("é\n".utf8)))),
            .tombstoned(id: "op"),
            .journal(
                JournalReply(entries: [
                    JournalEntry(
                        operation: "op", state: .ended(.exited(code: 0)), planDigest: digest, chainHead: digest)
                ])),
            .refused(Refusal(.busy, "later")),
        ] + outcomes.map { .ended(OperationRecord(id: "op", outcome: $0, outputTail: "a\u{0}b")) }
    }

    @Test func everyRequestComesBackAsItWas() throws {
        for request in requests {
            let frame = RequestFrame(id: 4, request: request)
            let line = try LineCodec.encode(frame)
            #expect(line.filter { $0 == 0x0a }.count == 1 && line.last == 0x0a)
            #expect(try LineCodec.decode(RequestFrame.self, from: Array(line.dropLast())) == frame)
        }
        #expect(Set(requests.map(verb)) == Set(RequestFrame.verbs))
    }

    @Test func everyReplyComesBackAsItWas() throws {
        for reply in replies {
            let frame = ReplyFrame(re: 4, reply: reply)
            let line = try LineCodec.encode(frame)
            #expect(line.filter { $0 == 0x0a }.count == 1 && line.last == 0x0a)
            #expect(try LineCodec.decode(ReplyFrame.self, from: Array(line.dropLast())) == frame)
        }
    }

    @Test func readingFramesDirectlyAgreesWithTheirCodable() throws {
        for request in requests { try expectDirectAgrees(RequestFrame(id: 4, request: request)) }
        for reply in replies { try expectDirectAgrees(ReplyFrame(re: 4, reply: reply)) }
    }

    @Test func aLineIsRefusedForItsDepthButNotForBracketsInStrings() throws {
        let deep = Array((String(repeating: "[", count: 33) + String(repeating: "]", count: 33)).utf8)
        #expect(throws: LineError.tooDeep(limit: 32)) { try LineCodec.decode(Refusal.self, from: deep) }
        let flat = try LineCodec.encode(Refusal(.busy, String(repeating: "[{\\\"", count: 100)))
        #expect(try LineCodec.decode(Refusal.self, from: flat).code == .busy)
    }

    @Test func aLineIsRefusedForItsLength() {
        let long = Refusal(.busy, String(repeating: "x", count: ProtocolLimits.lineBytes))
        #expect(throws: LineError.tooLong(limitBytes: ProtocolLimits.lineBytes)) { try LineCodec.encode(long) }
    }

    @Test func linesAreTheSameHoweverTheStreamIsChunked() {
        var splitter = LineSplitter()
        var lines: [Result<[UInt8], LineError>] = []
        for byte in Array("one\n\ntwo\nthr".utf8) { lines += splitter.receive([byte]) }
        #expect(lines == [.success(Array("one".utf8)), .success([]), .success(Array("two".utf8))])
    }

    @Test func aLineThatIsTooLongIsReportedOnceAndSkipped() {
        var splitter = LineSplitter()
        let long = [UInt8](repeating: 0x78, count: ProtocolLimits.lineBytes * 3)
        let lines = splitter.receive(long + Array("\nnext\n".utf8))
        #expect(lines == [.failure(.tooLong(limitBytes: ProtocolLimits.lineBytes)), .success(Array("next".utf8))])
    }

    @Test func theLongestLineFits() {
        var splitter = LineSplitter()
        let longest = [UInt8](repeating: 0x78, count: ProtocolLimits.lineBytes - 1)
        #expect(splitter.receive(longest + [0x0a]) == [.success(longest)])
    }

    private func verb(_ request: AgentRequest) -> String {
        switch request {
        case .hello: "hello"
        case .preflight: "preflight"
        case .carry: "carry"
        case .capture: "capture"
        case .start: "start"
        case .attach: "attach"
        case .settle: "settle"
        case .confirm: "confirm"
        case .journal: "journal"
        }
    }
}

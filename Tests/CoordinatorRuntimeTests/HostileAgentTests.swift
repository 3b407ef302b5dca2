import AgentProtocol
import Foundation
import RolloutEngine
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// Whatever an agent sends, it causes at most an error and never uses more memory than its limits.
struct HostileAgentTests {
    /// The bytes that the other end sends for each of our requests: a fault injector, not an agent.
    private actor HostileChannel: AgentChannel {
        private var pending: [[UInt8]] = []
        private var waiter: CheckedContinuation<Void, Never>?
        private var isClosed = false
        private(set) var sentBytes = 0
        private let answer: @Sendable (RequestFrame, Int) -> [UInt8]?
        private var current: (frame: RequestFrame, turn: Int)?

        /// - Parameter answer: the Nth chunk after a request, from 0; nil if there are no more.
        init(answer: @escaping @Sendable (RequestFrame, Int) -> [UInt8]?) { self.answer = answer }

        func send(_ bytes: [UInt8]) async throws(ContactFailure) {
            guard let frame = try? LineCodec.decode(RequestFrame.self, from: bytes.dropLast().map { $0 }) else {
                return
            }
            current = (frame, 0)
            waiter?.resume()
            waiter = nil
        }

        func receive() async throws(ContactFailure) -> [UInt8]? {
            while !isClosed {
                if let (frame, turn) = current, let chunk = answer(frame, turn) {
                    current = (frame, turn + 1)
                    sentBytes += chunk.count
                    return chunk
                }
                current = nil
                await withCheckedContinuation { waiter = $0 }
            }
            return nil
        }

        func close() {
            isClosed = true
            waiter?.resume()
            waiter = nil
        }
    }

    private static func line(_ re: UInt32, _ reply: AgentReply) -> [UInt8] {
        (try? LineCodec.encode(ReplyFrame(re: re, reply: reply))) ?? []
    }

    private static let hello = HelloReply(
        protocolVersion: 1, agentVersion: "x", identity: "a", owner: nil, highestEpoch: 0, bootID: "b",
        architecture: "x86_64", hostTime: WallTime(clamping: 0))

    private static func surface(_ name: SurfaceName, bytes: Int) -> AgentReply {
        .surface(
            SurfaceReply(
                name: name, durationMilliseconds: 0, hostTime: WallTime(clamping: 0), resultCode: 200,
                body: Bytes([UInt8](repeating: 0x20, count: bytes)), truncated: false))
    }

    private static let capture = AgentRequest.capture(
        CaptureRequest(
            workingDirectory: "/",
            surfaces: [
                SurfaceRequest(name: "a", source: .command(ScriptCommand(arguments: ["true"], timeoutSeconds: 1)))
            ]))

    /// What follows a valid hello, and the expected message.
    static let attacks: [(what: String, says: String, chunk: @Sendable (UInt32, Int) -> [UInt8]?)] = [
        ("an endless line", "tooLong", { _, _ in [UInt8](repeating: 0x61, count: 65_536) }),
        ("noise", "broke the protocol", { _, turn in [0xff, 0x00, 0x1b, UInt8(turn & 0x7f), 0x0a] }),
        ("deep JSON", "tooDeep", { _, _ in [UInt8](repeating: 0x5b, count: 1_000) + [0x0a] }),
        ("a surface twice", "more than was requested", { re, _ in line(re, surface("a", bytes: 1)) }),
        ("a surface nobody asked for", "more than was requested", { re, _ in line(re, surface("b", bytes: 1)) }),
        ("a surface past its limit", "more than was requested", { re, _ in line(re, surface("a", bytes: 400_000)) }),
    ]

    /// Numbers that no event may contain, and the fields in which a host could send them.
    @Test(
        arguments: ["durationMilliseconds", "hostTime", "resultCode"],
        [
            "9223372036854775807", "-9223372036854775808", "9007199254740992", "-9007199254740992",
            "18446744073709551615", "1e300", "1e999", "0.5",
        ])
    func aNumberBeyondItsRangeBreaksTheProtocol(_ field: String, _ number: String) async throws {
        let channel = HostileChannel { frame, turn in
            if case .hello = frame.request {
                return turn == 0 ? HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello)) : nil
            }
            let whole = String(
                decoding: HostileAgentTests.line(frame.id, HostileAgentTests.surface("a", bytes: 1)), as: UTF8.self)
            let changed = ["0", "200"].reduce(whole) {
                $0.replacingOccurrences(of: "\"\(field)\":\($1),", with: "\"\(field)\":\(number),")
            }
            return Array(changed.utf8)
        }
        let session = AgentSession(channel: channel, clock: .stopped)
        _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        let failure = await #expect(throws: ContactFailure.self) {
            for try await _ in try await session.replies(to: HostileAgentTests.capture, timeout: .seconds(30)) {}
        }
        #expect(failure?.code == .agentUnusable, "\(failure as Any)")
        #expect(failure?.message.contains("broke the protocol") == true, "\(failure as Any)")
        await session.close()
    }

    /// A protocol violation is recorded as an event, so its description is bounded.
    @Test(arguments: ["body", "kind"])
    func theReportOfABrokenFrameIsBounded(_ field: String) async throws {
        let channel = HostileChannel { frame, turn in
            if case .hello = frame.request {
                return turn == 0 ? HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello)) : nil
            }
            let whole = String(
                decoding: HostileAgentTests.line(frame.id, HostileAgentTests.surface("a", bytes: 1)), as: UTF8.self)
            let long = "\"\(field)\":\"" + String(repeating: "!", count: 100_000)
            return Array(whole.replacingOccurrences(of: "\"\(field)\":\"", with: long).utf8)
        }
        let session = AgentSession(channel: channel, clock: .stopped)
        _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        let failure = await #expect(throws: ContactFailure.self) {
            for try await _ in try await session.replies(to: HostileAgentTests.capture, timeout: .seconds(30)) {}
        }
        #expect(failure?.code == .agentUnusable, "\(failure as Any)")
        #expect((failure?.message.utf8.count ?? .max) < 2_000)
        await session.close()
    }

    @Test(arguments: ["18446744073709551615", "9007199254740992", "-1"])
    func anEpochBeyondItsRangeBreaksTheProtocol(_ number: String) async throws {
        let channel = HostileChannel { frame, turn in
            let whole = HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello))
            let text = String(decoding: whole, as: UTF8.self)
            return turn == 0
                ? Array(text.replacingOccurrences(of: "\"highestEpoch\":0", with: "\"highestEpoch\":\(number)").utf8)
                : nil
        }
        let session = AgentSession(channel: channel, clock: .stopped)
        let failure = await #expect(throws: ContactFailure.self) {
            _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        }
        #expect(failure?.code == .agentUnusable, "\(failure as Any)")
        await session.close()
    }

    @Test(
        "an agent that chooses an unoffered protocol is not used", arguments: [0, ProtocolLimits.versions[0] + 1, -1])
    func protocolThatWasNotOffered(_ version: Int) async throws {
        let session = HostileAgentTests.session(choosing: version)
        let failure = await #expect(throws: ContactFailure.self) {
            _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        }
        #expect(failure?.code == .agentUnusable && failure?.message.contains("protocol \(version)") == true)
        await session.close()
    }

    @Test("requests that an older agent would ignore are not sent to it", arguments: [1, 2])
    func olderProtocol(_ version: Int) async throws {
        let session = HostileAgentTests.session(choosing: version)
        _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        let hiding = AgentRequest.capture(
            CaptureRequest(workingDirectory: "/", surfaces: [], secretFiles: ["/etc/secret"]))
        for (request, isSent) in [(hiding, version == 2), (HostileAgentTests.capture, true)] {
            do throws(ContactFailure) {
                let reply = try await session.single(request, timeout: .seconds(30))
                #expect(isSent && reply == .captured)
            } catch {
                #expect(!isSent && error.code == .agentUnusable && error.message.contains("protocol 1"), "\(error)")
            }
        }
        await session.close()
    }

    /// An agent that chooses a protocol version and captures nothing.
    private static func session(choosing version: Int) -> AgentSession {
        let channel = HostileChannel { frame, turn in
            guard turn == 0 else { return nil }
            guard case .hello = frame.request else { return line(frame.id, .captured) }
            var reply = hello
            reply.protocolVersion = version
            return line(frame.id, .hello(reply))
        }
        return AgentSession(channel: channel, clock: .stopped)
    }

    @Test(arguments: attacks.indices)
    func anAttackEndsTheSessionWithAnError(_ index: Int) async throws {
        let (what, says, chunk) = HostileAgentTests.attacks[index]
        let channel = HostileChannel { frame, turn in
            if case .hello = frame.request {
                return turn == 0 ? HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello)) : nil
            }
            return chunk(frame.id, turn)
        }
        let session = AgentSession(channel: channel, clock: .stopped)
        _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        let failure = await #expect(throws: ContactFailure.self, "\(what)") {
            for try await _ in try await session.replies(to: HostileAgentTests.capture, timeout: .seconds(30)) {}
        }
        #expect(
            failure?.code == .agentUnusable && failure?.message.contains(says) == true, "\(what): \(failure as Any)")
        #expect(await session.isOpen == false)
        // It was stopped at its limit, not at the end of its data.
        #expect(await channel.sentBytes < 4 * ProtocolLimits.lineBytes, "\(what)")
        await session.close()
    }

    private static func output(fromByte: Int64, bytes: Int, droppedBytes: Int64? = nil) -> AgentReply {
        .output(
            OutputReply(
                operation: "op", fromByte: fromByte, bytes: Bytes([UInt8](repeating: 0x61, count: bytes)),
                droppedBytes: droppedBytes))
    }

    /// Invalid output of an operation: its Nth piece.
    static let outputs: [(what: String, piece: @Sendable (Int) -> AgentReply, atMostBytes: Int)] = [
        (
            "without end", { output(fromByte: Int64($0) * 65_536, bytes: 65_536) },
            Int(ProtocolLimits.attachedOutputBytes) * 3 / 2
        ),
        (
            "without end, with gaps",
            { output(fromByte: Int64($0) * 100_000 + 34_464, bytes: 65_536, droppedBytes: 34_464) },
            Int(ProtocolLimits.attachedOutputBytes) * 3 / 2
        ),
        ("behind a gap that is not named so", { _ in output(fromByte: 10, bytes: 100, droppedBytes: 9) }, 65_536),
        ("behind a gap of nothing", { _ in output(fromByte: 0, bytes: 100, droppedBytes: 0) }, 65_536),
        ("empty without end", { _ in output(fromByte: 0, bytes: 0) }, 65_536),
        ("the same piece again and again", { _ in output(fromByte: 0, bytes: 100) }, 65_536),
        ("from far away", { _ in output(fromByte: 9_007_199_254_740_991, bytes: 100) }, 65_536),
        (
            "a record with a tail past its limit",
            { _ in
                .ended(
                    OperationRecord(
                        id: "op", outcome: .exited(code: 0), outputTail: String(repeating: "a", count: 6_145)))
            },
            65_536
        ),
    ]

    @Test(arguments: outputs.indices)
    func anOperationsOutputIsBounded(_ index: Int) async throws {
        let (what, piece, atMostBytes) = HostileAgentTests.outputs[index]
        let channel = HostileChannel { frame, turn in
            if case .hello = frame.request {
                return turn == 0 ? HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello)) : nil
            }
            return HostileAgentTests.line(frame.id, piece(turn))
        }
        let session = AgentSession(channel: channel, clock: .stopped)
        _ = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
        let failure = await #expect(throws: ContactFailure.self, "\(what)") {
            let attach = AgentRequest.attach(AttachRequest(operation: "op", fromByte: 0))
            for try await _ in try await session.replies(to: attach, timeout: .seconds(300)) {}
        }
        #expect(
            failure?.code == .agentUnusable && failure?.message.contains("more than") == true,
            "\(what): \(failure as Any)")
        #expect(await channel.sentBytes < atMostBytes, "\(what)")
        await session.close()
    }

    @Test func unrequestedRepliesAreDropped() async throws {
        let channel = HostileChannel { frame, turn in
            if turn < 10_000 { return HostileAgentTests.line(frame.id + 1 + UInt32(turn), .captured) }
            return turn == 10_000 ? HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello)) : nil
        }
        let session = AgentSession(channel: channel, clock: .stopped)
        let hello = try await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(600))
        #expect(hello == HostileAgentTests.hello)
        await session.close()
    }

    @Test func noiseFromRCFilesBeforeTheFirstFrameIsBounded() async throws {
        for (lines, isTolerated) in [
            (ProtocolLimits.linesBeforeHello, true), (ProtocolLimits.linesBeforeHello + 1, false),
        ] {
            let channel = HostileChannel { frame, turn in
                if turn < lines { return Array("\u{1B}[31mWelcome!\n".utf8) }
                return turn == lines ? HostileAgentTests.line(frame.id, .hello(HostileAgentTests.hello)) : nil
            }
            let session = AgentSession(channel: channel, clock: .stopped)
            let hello = try? await session.open(HelloRequest(ledger: "l", epoch: 1), timeout: .seconds(30))
            #expect((hello != nil) == isTolerated)
            await session.close()
        }
    }
}

extension RuntimeClock {
    /// A clock whose time never advances; sleeping tasks still wake up.
    fileprivate static let stopped = RuntimeClock(monotonic: { .zero }, wall: { WallTime(clamping: 0) })
}

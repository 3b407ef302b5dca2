import AgentProtocol
import Foundation
import Glibc
import Testing
import UpgradeDomain

@testable import AgentRuntime

/// Tests how the agent looks at services that do not speak HTTP, over real sockets.
struct TCPCaptureTests {
    /// Accepts one connection after the other, sends each the same bytes, and keeps it open.
    private final class Service: Sendable {
        let port: Int
        private let listener: Int32

        /// - Parameter closes: ends each connection right after the bytes.
        init(_ bytes: String, closes: Bool = false) throws {
            let (listener, port) = try CannedServer.listen()
            (self.listener, self.port) = (listener, Int(port))
            Thread.detachNewThread {
                while case let connection = accept(listener, nil, nil), connection >= 0 {
                    CannedServer.send(Array(bytes.utf8), to: connection)
                    if closes { close(connection) }
                }
            }
        }

        deinit { shutdown(listener, Int32(SHUT_RDWR)) }
    }

    private func take(_ port: Int, _ banner: String?, seconds: Int = 10) throws -> SurfaceReply {
        let host = try HostUnderTest()
        let surface = SurfaceRequest(
            name: "port", source: .tcp(TCPSource(port: port, banner: banner, timeoutSeconds: seconds)))
        return try #require(try host.session(epoch: nil).capture([surface], in: host.folder.path).first)
    }

    private func line(_ reply: SurfaceReply) -> String { String(decoding: reply.body.elements, as: UTF8.self) }

    @Test func aPortThatAcceptsIsAnAnswerAndOneThatRefusesIsNot() throws {
        let service = try Service("")
        let open = try take(service.port, nil)
        #expect(open.resultCode == 0 && open.failure == nil && line(open) == "")
        let refused = try take(1, nil)
        #expect(refused.resultCode == nil && refused.failure?.code == .unreachable)
        #expect(refused.failure?.detail == "127.0.0.1 port 1: Connection refused (111)")
    }

    @Test func theBannerIsTheFirstLineAndHasToBeginAsAsked() throws {
        let service = try Service("SSH-2.0-OpenSSH_9.2p1\r\nmore\n")
        let right = try take(service.port, "SSH-2.0-")
        #expect(right.resultCode == 0 && line(right) == "SSH-2.0-OpenSSH_9.2p1")
        let wrong = try take(service.port, "220 ")
        #expect(wrong.resultCode == 1 && line(wrong) == "SSH-2.0-OpenSSH_9.2p1")
        // Without an end of line, and cut off in the middle of the banner.
        let endless = try Service("+PONG")
        #expect(try take(endless.port, "+PONG").resultCode == 0)
        let cut = try Service("+P", closes: true)
        #expect(try take(cut.port, "+PONG").resultCode == 1)
        let long = try Service(String(repeating: "x", count: 100_000))
        #expect(line(try take(long.port, "xx")).utf8.count == TCPCapture.bannerBytes)
    }

    @Test func aServiceThatDoesNotSpeakOrHangsUpIsUnknown() throws {
        let silent = try Service("")
        let late = try take(silent.port, "SSH-2.0-", seconds: 1)
        #expect(late.failure?.code == .timedOut)
        #expect(late.failure?.detail == "127.0.0.1 port \(silent.port) sent no banner within 1 s")
        let rude = try Service("", closes: true)
        #expect(
            try take(rude.port, "SSH-2.0-").failure?.detail.hasSuffix("closed the connection and sent nothing") == true)
    }

    @Test func anOlderAgentIsNotAskedForIt() {
        func version(_ source: SurfaceSource) -> Int {
            AgentRequest.capture(
                CaptureRequest(workingDirectory: "/", surfaces: [SurfaceRequest(name: "s", source: source)])
            ).protocolVersion
        }
        #expect(version(.tcp(TCPSource(port: 22, timeoutSeconds: 1))) == 3)
        #expect(version(.http(HTTPSource(url: "http://127.0.0.1/", timeoutSeconds: 1))) == 1)
    }
}

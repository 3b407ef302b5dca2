import Foundation
import Glibc
import Testing

@testable import SSHTransport

/// Peers that are not SSH servers or stop in the middle of the protocol.
@Suite("Early failures")
struct EarlyFailureTests {
    private func target(port: Int) throws -> SSHTarget {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeKey(["-t", "ed25519"], at: "\(folder)/key")
        let pinned = try #require(SSHHostKey(openSSH: try String(contentsOfFile: "\(folder)/key.pub", encoding: .utf8)))
        return SSHTarget(
            host: "edge-1", address: "127.0.0.1", port: port, user: "nobody", hostKeys: [pinned],
            identities: [try SSHIdentity.load(path: "\(folder)/key")], deadlines: .patient)
    }

    @Test("a server that hangs up before its banner is quoted", arguments: [RawListener.Ending.hangUp, .reset])
    func hangsUp(ending: RawListener.Ending) async throws {
        let listener = try RawListener()
        defer { listener.stop() }
        listener.serveOnce("Exceeded MaxStartups\u{1b}[31m\r\n", ending)
        let target = try target(port: listener.port)
        try await withClient { client in
            let error = try await failure { _ = try await client.connect(to: target) }
            #expect(error.code == .handshakeFailed)
            #expect(error.message.contains("it said \"Exceeded MaxStartups?[31m\""))
        }
    }

    @Test(
        "a greeting that libssh2 cannot read is distinguished from a server that hangs up",
        arguments: ["Welcome\r\n\r\n", "SSH-2.0-\(String(repeating: "x", count: 300))\r\n"])
    func givenUp(greeting: String) async throws {
        let listener = try RawListener()
        defer { listener.stop() }
        listener.serveOnce(greeting, .silence)
        let target = try target(port: listener.port)
        try await withClient { client in
            let error = try await failure { _ = try await client.connect(to: target) }
            #expect(error.code == .handshakeGivenUp, "\(error)")
        }
    }

    @Test("a cancelled connect ends at once and gives its socket back")
    func cancelledConnect() async throws {
        let listener = try RawListener()
        defer { listener.stop() }
        let target = try target(port: listener.port)
        try await withClient { client in
            let task = Task { try await client.connect(to: target) }
            let peer = accept(listener.descriptor, nil, nil)
            defer { close(peer) }
            task.cancel()
            let error = try await failure { _ = try await task.value }
            #expect(error.code == .cancelled)
            var bytes = [UInt8](repeating: 0, count: 4096)
            var count = 1
            while count > 0 { count = recv(peer, &bytes, bytes.count, 0) }
            #expect(count <= 0)
        }
    }
}

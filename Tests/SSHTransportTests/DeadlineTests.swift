import Foundation
import Glibc
import Testing

@testable import SSHTransport

/// Peers that are no SSH server, or stop in the middle of being one.
@Suite("Deadlines and early failures")
struct DeadlineTests {
    private func target(port: Int, deadlines: SSHDeadlines) throws -> SSHTarget {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeKey(["-t", "ed25519"], at: "\(folder)/key")
        let pinned = try #require(SSHHostKey(openSSH: try String(contentsOfFile: "\(folder)/key.pub", encoding: .utf8)))
        return SSHTarget(
            host: "edge-1", address: "127.0.0.1", port: port, user: "nobody", hostKeys: [pinned],
            identities: [try SSHIdentity.load(path: "\(folder)/key")], deadlines: deadlines)
    }

    private func connectFailure(port: Int, _ deadlines: SSHDeadlines) async throws -> SSHError {
        var result: SSHError?
        let target = try target(port: port, deadlines: deadlines)
        try await withClient { client in
            result = try await failure { _ = try await client.connect(to: target) }
        }
        return try #require(result)
    }

    @Test("a server that hangs up before its banner is quoted", arguments: [RawListener.Ending.hangUp, .reset])
    func hangsUp(ending: RawListener.Ending) async throws {
        let listener = try RawListener()
        defer { listener.stop() }
        listener.serveOnce("Exceeded MaxStartups\u{1b}[31m\r\n", ending)
        let error = try await connectFailure(port: listener.port, .patient)
        #expect(error.code == .handshakeFailed)
        #expect(error.message.contains("it said \"Exceeded MaxStartups?[31m\""))
    }

    @Test("a cancelled connect ends at once and gives its socket back")
    func cancelledConnect() async throws {
        let listener = try RawListener()
        defer { listener.stop() }
        let target = try target(port: listener.port, deadlines: .patient)
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

import Foundation
import TestSupport
import Testing

@testable import SSHTransport

@Suite("Several keys", .serialized)
struct LoginTests {
    /// Keys that the server does not know.
    private func strangers(_ count: Int, of server: TestServer) throws -> [SSHIdentity] {
        try (0..<count).map { number in
            try makeKey(["-t", "ed25519"], at: "\(server.folder)/stranger-\(number)")
            return try SSHIdentity.load(path: "\(server.folder)/stranger-\(number)")
        }
    }

    private func refusalCount(_ server: TestServer) -> Int {
        server.log.components(separatedBy: "Failed publickey for").count - 1
    }

    @Test("after a refused key the next one is tried on the same connection; the accepted key is first from then on")
    func nextKey() async throws {
        try await TestServer.run(config: "MaxAuthTries 3") { server in
            let target = try server.target(identities: try strangers(2, of: server) + [server.identity()])
            try await withClient { client in
                let connection = try await client.connect(to: target)
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                #expect(refusalCount(server) == 2)
                for _ in 0..<3 { _ = try await client.connect(to: target).run("true") }
                #expect(refusalCount(server) == 2)
            }
            // The client remembers the key, but another client does not.
            try await withClient { client in
                _ = try await client.connect(to: target)
                #expect(refusalCount(server) == 4)
            }
        }
    }

    @Test("at most three keys are tried, and the error names each with its fingerprint and how to add one")
    func bounded() async throws {
        try await TestServer.run { server in
            let strangers = try strangers(5, of: server)
            try await withClient { client in
                let target = try server.target(identities: strangers + [try server.identity()])
                let error = try await failure { _ = try await client.connect(to: target) }
                #expect(error.code == .authenticationRefused)
                for tried in strangers.prefix(3) {
                    #expect(error.message.contains("\(tried.path) (ssh-ed25519 \(tried.fingerprint)): refused"))
                }
                #expect(!error.message.contains(strangers[3].path))
                #expect(error.message.contains("; not tried, because a server counts refusals: 3 more"))
                #expect(error.message.contains("ssh-copy-id -i \(strangers[0].path) -p \(server.port)"))
                try await eventually("the server notices") { server.log.contains("Connection closed by") }
                #expect(refusalCount(server) == 3)
            }
        }
    }

    @Test("a server that hangs up after too many refusals is quoted")
    func tooMany() async throws {
        try await TestServer.run(config: "MaxAuthTries 2") { server in
            try await withClient { client in
                let target = try server.target(identities: try strangers(3, of: server))
                let error = try await failure { _ = try await client.connect(to: target) }
                #expect(error.code == .authenticationRefused)
                #expect(error.message.contains("Too many authentication failures"), "\(error)")
            }
        }
    }

    @Test("if an agent refuses to sign, the next key is tried, and the key is named if no key is left")
    func agentRefuses() async throws {
        try await TestServer.run { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath, options: ["-c"])
                try await withClient { client in
                    let held = try await SSHIdentity.load(
                        path: server.userKeyPath + ".pub", heldBy: client.agent(at: agent.socketPath))
                    let others = try strangers(1, of: server)
                    let target = try server.target(identities: [held] + others)
                    let error = try await failure { _ = try await client.connect(to: target) }
                    #expect(error.code == .authenticationRefused)
                    #expect(error.message.contains("\(held.path) (ssh-ed25519 \(held.fingerprint)): its ssh-agent"))
                    #expect(error.message.contains("\(others[0].fingerprint)): refused"))
                }
            }
        }
    }

    @Test("the same key under two names is tried once")
    func sameKey() async throws {
        try await TestServer.run { server in
            let stranger = try strangers(1, of: server)[0]
            try await withClient { client in
                let target = try server.target(identities: [stranger, stranger, server.identity()])
                _ = try await client.connect(to: target)
                #expect(refusalCount(server) == 1)
            }
        }
    }
}

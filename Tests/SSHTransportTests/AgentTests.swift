import Foundation
import Glibc
import SSHSignatures
import Testing

@testable import SSHTransport

@Suite("Keys that an ssh-agent holds", .serialized)
struct AgentTests {
    @Test(
        "a key whose private half is only in the agent logs in by its .pub file",
        arguments: [["-t", "ed25519"], ["-t", "ecdsa", "-b", "521"], ["-t", "rsa", "-b", "3072"]])
    func publicHalf(userKey: [String]) async throws {
        try await TestServer.run(userKey: userKey) { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath)
                try FileManager.default.removeItem(atPath: server.userKeyPath)
                try await withClient { client in
                    let identity = try await SSHIdentity.load(
                        path: server.userKeyPath + ".pub", heldBy: client.agent(at: agent.socketPath))
                    let connection = try await client.connect(to: try server.target(identities: [identity]))
                    #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                }
            }
        }
    }

    @Test(
        "a key file with a passphrase logs in through the agent without a prompt",
        arguments: [["-t", "ed25519"], ["-t", "rsa", "-b", "2048", "-m", "PEM"]])
    func encrypted(userKey: [String]) async throws {
        try await TestServer.run(userKey: userKey, passphrase: "secret") { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath, passphrase: "secret")
                try await withClient { client in
                    let identity = try await SSHIdentity.load(
                        path: server.userKeyPath, heldBy: client.agent(at: agent.socketPath))
                    _ = try await client.connect(to: try server.target(identities: [identity]))
                }
            }
        }
    }

    @Test("a key that the agent does not hold is named, with the command that adds it")
    func notHeld() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeKey(["-t", "ed25519"], at: "\(folder)/key")
        try await withAgent { agent in
            try await withClient { client in
                let error = try await failure {
                    _ = try await SSHIdentity.load(
                        path: "\(folder)/key.pub", heldBy: client.agent(at: agent.socketPath))
                }
                #expect(error.code == .keyNotHeld)
                #expect(error.message.contains("does not hold SHA256:"))
                #expect(error.message.hasSuffix("ssh-add -- \(folder)/key"))
            }
        }
        let alone = try #require(#expect(throws: SSHError.self) { try SSHIdentity.load(path: "\(folder)/key.pub") })
        #expect(alone.code == .keyNotHeld)
    }

    @Test("if the agent's user does not confirm a signature, the login ends with the agent's reason")
    func refused() async throws {
        try await TestServer.run { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath, options: ["-c"])
                try await withClient { client in
                    let identity = try await SSHIdentity.load(
                        path: server.userKeyPath + ".pub", heldBy: client.agent(at: agent.socketPath))
                    let target = try server.target(identities: [identity])
                    let error = try await failure { _ = try await client.connect(to: target) }
                    #expect(error.code == .agentFailed)
                    #expect(error.message.contains("its user did not confirm"))
                    #expect(error.message.contains("ssh-add -l"))
                }
            }
        }
    }

    @Test("an agent that stalls delays no other login, fails its own in time, and is used again when it wakes up")
    func stalled() async throws {
        try await TestServer.run { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath)
                try await withClient { client in
                    let identity = try await SSHIdentity.load(
                        path: server.userKeyPath + ".pub", heldBy: client.agent(at: agent.socketPath))
                    var target = try server.target(identities: [identity])
                    let patient = target
                    kill(agent.process, SIGSTOP)
                    let waiting = Task { [patient] in try await client.connect(to: patient) }
                    // On the same event loop as the login that waits.
                    _ = try await client.connect(to: try server.target()).run("true")
                    target.deadlines.agent = .milliseconds(300)
                    let error = try await failure { _ = try await client.connect(to: target) }
                    #expect(error.code == .agentFailed)
                    #expect(error.message.contains("did not answer within 0.3 seconds"))
                    // They share the connection, whose answers can no longer be matched to requests.
                    let other = try await failure { _ = try await waiting.value }
                    #expect(other.code == .agentFailed)
                    kill(agent.process, SIGCONT)
                    _ = try await client.connect(to: patient).run("true")
                }
            }
        }
    }

    @Test("many logins at once are signed by one agent, each with its own signature")
    func many() async throws {
        try await TestServer.run(userKey: ["-t", "rsa", "-b", "2048"]) { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath)
                try await withClient(threads: 2) { client in
                    let identity = try await SSHIdentity.load(
                        path: server.userKeyPath + ".pub", heldBy: client.agent(at: agent.socketPath))
                    let target = try server.target(identities: [identity])
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<32 { group.addTask { _ = try await client.connect(to: target).run("true") } }
                        try await group.waitForAll()
                    }
                }
            }
        }
    }

    @Test("an agent that is missing or sends an invalid answer is an error, and nothing waits for it")
    func broken() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await withClient { client in
            let absent = try await failure { _ = try await client.agent(at: "\(folder)/none").publicKeyBlobs() }
            #expect(absent.code == .agentFailed)
            #expect(absent.message.contains("No such file or directory"))
            let replies: [[UInt8]] = [
                [0xff, 0xff, 0xff, 0xff, 12], [0, 0, 0, 0], [0, 0, 0, 1, 6], [0, 0, 0, 5, 12, 0, 0, 0, 1],
            ]
            for (number, reply) in replies.enumerated() {
                let listener = try UnixListener(path: "\(folder)/agent-\(number)")
                listener.serveOnce(reply)
                let error = try await failure {
                    _ = try await client.agent(at: listener.path).publicKeyBlobs(within: .seconds(20))
                }
                #expect(error.message.contains("does not follow the agent protocol"), "\(reply)")
            }
            let listener = try UnixListener(path: "\(folder)/agent-refuses")
            listener.serveOnce([0, 0, 0, 1, 5])
            let refused = try await failure { _ = try await client.agent(at: listener.path).publicKeyBlobs() }
            #expect(refused.message.contains("it may be locked"))
        }
    }

    @Test("no prefix of an agent's answer is mistaken for the whole answer")
    func prefixes() {
        var keys = SSHWireWriter()
        keys.uint32(2)
        for word in ["one", "comment", "two", "comment"] { keys.string(word.utf8) }
        let list = [12] + keys.bytes
        #expect(KeyAgentReply.keys(list) == [Array("one".utf8), Array("two".utf8)])
        var inner = SSHWireWriter()
        inner.string("rsa-sha2-512".utf8)
        inner.string("signed".utf8)
        var outer = SSHWireWriter()
        outer.string(inner.bytes)
        let signature = [14] + outer.bytes
        #expect(KeyAgentReply.signature(signature, algorithm: "rsa-sha2-512") == Array("signed".utf8))
        #expect(KeyAgentReply.signature(signature, algorithm: "ssh-rsa") == nil)
        for count in list.indices { #expect(KeyAgentReply.keys(Array(list.prefix(count))) == nil) }
        for count in signature.indices {
            #expect(KeyAgentReply.signature(Array(signature.prefix(count)), algorithm: "rsa-sha2-512") == nil)
        }
    }
}

import Foundation
import Glibc
import TestSupport
import Testing

@testable import SSHTransport

/// What the rest of the program relies on with either transport: reaching a host and logging in. The tests for its
/// commands are in `ConformanceTests+Commands.swift`.
@Suite("Both transports keep the same promises", .serialized)
struct ConformanceTests {
    // MARK: Connecting and logging in

    @Test("jump hosts, one and two deep", arguments: Transport.allCases, [1, 2])
    func jumps(transport: Transport, depth: Int) async throws {
        try await TestServer.run { outer in
            try await TestServer.run { inner in
                try await TestServer.run { server in
                    try await withConnector(transport) { connector in
                        let jumps = [try outer.target(named: "bastion-1"), try inner.target(named: "bastion-2")]
                        for number in 1...3 {
                            let target = try server.target(named: "core-\(number)", behind: Array(jumps.prefix(depth)))
                            let connection = try await connector.connect(to: target)
                            #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                            await connection.close()
                        }
                        #expect(outer.log.matches(of: /Accepted publickey/).count == 1)
                    }
                }
            }
        }
    }

    @Test("an IPv6 address", arguments: Transport.allCases)
    func ipv6(transport: Transport) async throws {
        try await TestServer.run(isIPv6: true) { server in
            try await withConnector(transport) { connector in
                var target = try server.target()
                target.address = "::1"
                let connection = try await connector.connect(to: target)
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                #expect(server.log.contains("Connection from ::1 "))
            }
        }
    }

    @Test("a key that only an ssh-agent can use, because of its passphrase", arguments: Transport.allCases)
    func agentKey(transport: Transport) async throws {
        try await TestServer.run(passphrase: "open sesame") { server in
            try await withAgent { agent in
                try agent.add(server.userKeyPath, passphrase: "open sesame")
                try await withConnector(transport) { connector in
                    let target = try server.target(identities: [])
                    let login = try await connector.login(to: target, key: server.userKeyPath, heldBy: agent)
                    let connection = try await login()
                    #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                }
            }
        }
    }

    @Test("an ssh-agent that refuses to sign is not reported as a refusal by the host", arguments: Transport.allCases)
    func agentRefuses(transport: Transport) async throws {
        try await TestServer.run { server in
            try await withAgent { agent in
                // Each use must be confirmed, and there is no one to ask.
                try agent.add(server.userKeyPath, options: ["-c"])
                try await withConnector(transport) { connector in
                    let target = try server.target(identities: [])
                    let login = try await connector.login(to: target, key: server.userKeyPath, heldBy: agent)
                    let error = try await failure { _ = try await login() }
                    #expect(error.code == .agentFailed, "\(error)")
                }
            }
        }
    }

    @Test("the key that a server proves to own is returned without a login", arguments: Transport.allCases)
    func hostKey(transport: Transport) async throws {
        try await TestServer.run { server in
            try await withConnector(transport) { connector in
                var target = try server.target()
                let own = target.hostKeys
                target.hostKeys = []
                target.identities = []
                #expect(try await [connector.hostKey(of: target)] == own)
                #expect(!server.log.contains("Accepted"))
                target.port = 1
                let error = try await failure { _ = try await connector.hostKey(of: target) }
                #expect(error.code == .connectionRefused)
            }
        }
    }

    // MARK: Failures before a command

    /// Connects and returns the reason of the failure.
    private func refusal(_ transport: Transport, _ target: SSHTarget) async throws -> SSHError {
        var refusal: SSHError?
        try await withConnector(transport) { connector in
            refusal = try await failure { _ = try await connector.connect(to: target) }
        }
        return try #require(refusal)
    }

    @Test("with a changed, unknown or unpinned host key there is no login attempt", arguments: Transport.allCases)
    func hostKeys(transport: Transport) async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await TestServer.run { server in
            for (type, code) in [("ed25519", SSHError.Code.hostKeyChanged), ("ecdsa", .hostKeyUnknown)] {
                try makeKey(["-t", type], at: "\(folder)/\(type)")
                let pin = try String(contentsOfFile: "\(folder)/\(type).pub", encoding: .utf8)
                let other = try #require(SSHHostKey(openSSH: pin))
                let error = try await refusal(transport, try server.target(hostKeys: [other]))
                #expect(error.code == code, "\(error)")
                #expect(error.message.contains("it shows ssh-ed25519 \(server.hostKey.fingerprint), pinned is "))
                #expect(error.message.contains(other.fingerprint))
            }
            #expect(try await refusal(transport, try server.target(hostKeys: [])).code == .hostKeyUnknown)
            // Without a pinned key there was no connection.
            try await eventually("the server notices") {
                server.log.matches(of: /Connection (closed by|reset by) \S+ port \d+ \[preauth\]/).count == 2
            }
            #expect(!server.log.contains("userauth-request"))
        }
    }

    @Test(
        "a key that is not accepted, whatever banner the server shows before it refuses",
        arguments: Transport.allCases)
    func wrongKey(transport: Transport) async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Messages of OpenSSH's client that mean something else.
        try """
        debug1: Executing proxy command: none
        debug3: receive packet: type 51
        WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!
        Connection refused

        """.write(toFile: "\(folder)/banner", atomically: true, encoding: .utf8)
        try await TestServer.run(config: "Banner \(folder)/banner") { server in
            try makeKey(["-t", "ed25519"], at: "\(folder)/stranger")
            let stranger = try SSHIdentity.load(path: "\(folder)/stranger")
            let error = try await refusal(transport, try server.target(identities: [stranger]))
            #expect(error.code == .authenticationRefused, "\(error)")
            try await withConnector(transport) { connector in
                let connection = try await connector.connect(to: try server.target())
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            }
        }
    }

    @Test(
        "a closed port, a name without an address, and a jump host that finds a closed port",
        arguments: Transport.allCases)
    func nobodyThere(transport: Transport) async throws {
        try await TestServer.run { server in
            var target = try server.target()
            target.port = try freePort(server.address)
            let refused = try await refusal(transport, target)
            #expect(refused.code == .connectionRefused)
            #expect(
                refused.message.contains("core-1 (\(target.user)@\(target.address):\(target.port)) refuses connections")
            )
            target.jumps = [try server.target(named: "bastion-1")]
            let error = try await refusal(transport, target)
            #expect(error.code == .unreachable, "\(error)")
            target.jumps = []
            target.address = "no-such-host.invalid"
            #expect(try await refusal(transport, target).code == .unreachable)
        }
    }

    @Test("a server that hangs up in the middle of the login", arguments: Transport.allCases)
    func hangsUp(transport: Transport) async throws {
        try await TestServer.run { server in
            let listener = try RawListener()
            defer { listener.stop() }
            listener.serveOnce("SSH-2.0-short\r\n", .hangUp)
            var target = try server.target()
            (target.address, target.port) = ("127.0.0.1", listener.port)
            let error = try await refusal(transport, target)
            #expect(error.code == .handshakeFailed, "\(error)")
        }
    }
}

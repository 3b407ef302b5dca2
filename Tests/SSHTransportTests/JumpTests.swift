import Foundation
import Glibc
import TestSupport
import Testing

@testable import SSHTransport

/// Hosts behind one jump host, or two.
@Suite("Jump hosts", .serialized)
struct JumpTests {
    /// A jump host and a host behind it.
    private func withJump(
        _ config: String = "", targetConfig: String = "",
        _ body: (_ client: SSHClient, _ jump: TestServer, _ target: TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run(config: config) { jump in
            try await TestServer.run(config: targetConfig) { target in
                try await withClient { client in try await body(client, jump, target) }
            }
        }
    }

    /// Logins that a server accepted.
    private func loginCount(_ server: TestServer) -> Int { server.log.matches(of: /Accepted publickey/).count }

    @Test("all hosts behind a jump host share one connection to it")
    func shared() async throws {
        try await withJump { client, jump, target in
            let way = [try jump.target(named: "bastion-1")]
            let connections = try await withThrowingTaskGroup(of: SSHConnection.self) { group in
                for number in 1...20 {
                    let target = try target.target(named: "core-\(number)", behind: way)
                    group.addTask { try await client.connect(to: target) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for connection in connections {
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            }
            // One connection, and more only if the machine was too slow to open a tunnel in time.
            let outer = loginCount(jump)
            #expect((1...TransportLimits.jumpConnectionCount).contains(outer))
            #expect(loginCount(target) == 20)
            for connection in connections { await connection.close() }
            // The connection stays open for later hosts.
            let later = try await client.connect(to: try target.target(behind: way))
            #expect(try await later.run("echo ok").standardOutput == Array("ok\n".utf8))
            #expect(loginCount(jump) == outer)
        }
    }

    @Test("a host may be behind two jump hosts, with a key of its own for each")
    func twoDeep() async throws {
        try await withJump { client, outer, inner in
            try await TestServer.run { target in
                let way = [try outer.target(named: "bastion-1"), try inner.target(named: "bastion-2")]
                let connection = try await client.connect(to: try target.target(behind: way))
                let output = try await connection.run("cat", input: Array("hello".utf8))
                #expect(output.standardOutput == Array("hello".utf8))
                for server in [outer, inner, target] { #expect(loginCount(server) == 1) }
            }
        }
    }

    @Test("uploads and output pass a tunnel byte for byte, even during key exchanges of both servers")
    func transfers() async throws {
        try await withJump("RekeyLimit 1M", targetConfig: "RekeyLimit 1M") { client, jump, target in
            let connection = try await client.connect(
                to: try target.target(behind: [try jump.target(named: "bastion-1")]))
            let bytes = (0..<(8 * 1024 * 1024)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }
            let output = try await connection.run("cat", input: bytes, limitBytes: bytes.count)
            #expect(output.standardOutput == bytes)
        }
    }

    @Test("a jump host with another key is named, and there is no login attempt")
    func otherKey() async throws {
        try await withJump { client, jump, target in
            let wrong = try jump.target(hostKeys: [target.hostKey], named: "bastion-1")
            let error = try await failure { _ = try await client.connect(to: try target.target(behind: [wrong])) }
            #expect(error.code == .hostKeyChanged)
            #expect(error.host == "core-1")
            #expect(error.failedHost == "bastion-1")
            #expect(error.message.hasPrefix("core-1 is behind bastion-1 and was not connected to: bastion-1 ("))
            #expect(!jump.log.contains("userauth-request"))
        }
    }

    @Test("a jump host that cannot or must not reach the host is named")
    func noWayOn() async throws {
        try await withJump { client, jump, target in
            var closed = try target.target(behind: [try jump.target(named: "bastion-1")])
            closed.port = try freePort(target.address)
            let error = try await failure { _ = try await client.connect(to: closed) }
            #expect(error.code == .unreachable)
            #expect(error.message.contains("the jump host bastion-1 could not connect to it"))
            // The connection is still good for others.
            _ = try await client.connect(to: try target.target(behind: closed.jumps))
            #expect(loginCount(jump) == 1)
        }
        try await withJump("AllowTcpForwarding no") { client, jump, target in
            let target = try target.target(behind: [try jump.target(named: "bastion-1")])
            let error = try await failure { _ = try await client.connect(to: target) }
            #expect(error.message.contains("bastion-1 does not forward to it; see AllowTcpForwarding"))
        }
    }

    @Test("a host behind a jump host that drops packets delays no other")
    func blackhole() async throws {
        try await withJump { client, jump, target in
            let listener = try RawListener(backlog: 0)
            defer { listener.stop() }
            // A full accept queue makes the kernel drop further SYNs.
            let fillers = (0..<4).map { _ in beginConnect("127.0.0.1", listener.port, nonblocking: true).descriptor }
            defer { for filler in fillers { close(filler) } }
            let way = [try jump.target(named: "bastion-1")]
            // An open tunnel, so that the connection is in use.
            let first = try await client.connect(to: try target.target(behind: way))
            var dead = try target.target(named: "core-2", behind: way)
            (dead.address, dead.port) = ("127.0.0.1", listener.port)
            let attempt = Task { [dead] in try await client.connect(to: dead) }
            try await eventually("the jump host tries") { jump.log.contains("target 127.0.0.1 port \(listener.port)") }
            for number in 3...6 {
                let connection = try await client.connect(to: try target.target(named: "core-\(number)", behind: way))
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            }
            #expect(loginCount(jump) == 2)
            attempt.cancel()
            #expect(try await failure { _ = try await attempt.value }.code == .cancelled)
            #expect(try await first.run("echo ok").standardOutput == Array("ok\n".utf8))
        }
    }

    @Test("a jump host that ends takes its tunnels with it, and the next tunnel reconnects to it")
    func jumpEnds() async throws {
        try await withJump { client, jump, target in
            let target = try target.target(behind: [try jump.target(named: "bastion-1")])
            let connection = try await client.connect(to: target)
            let command = try await connection.execute("echo begun; exec cat")
            #expect(try await command.read() == Array("begun\n".utf8))
            let session = try #require(jump.log.matches(of: /Forked child (\d+)/).last?.1)
            kill(try #require(pid_t(session)), SIGKILL)
            let error = try await failure { _ = try await command.read() }
            #expect(error.code == .connectionLost)
            let again = try await client.connect(to: target)
            #expect(try await again.run("echo ok").standardOutput == Array("ok\n".utf8))
            #expect(loginCount(jump) == 2)
        }
    }

    @Test("300 hosts behind a jump host with OpenSSH's own limits for logins and sessions")
    func many() async throws {
        try await TestServer.run(config: "MaxSessions 10", startups: "10:30:100") { jump in
            try await TestServer.run(everyAddress: true) { server in
                try await withClient { client in
                    let way = [try jump.target(named: "bastion-1")]
                    let identities = [try server.identity()]
                    let connections = try await withThrowingTaskGroup(of: SSHConnection.self) { group in
                        for number in 0..<300 {
                            var target = try server.target(
                                identities: identities, named: "core-\(number)", behind: way)
                            target.address = "127.9.\(number / 200).\(number % 200 + 1)"
                            target.deadlines = SSHDeadlines(
                                connect: .seconds(120), handshake: .seconds(120), authentication: .seconds(120),
                                exec: .seconds(120), silence: .seconds(120))
                            group.addTask { [target] in
                                let connection = try await client.connect(to: target)
                                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                                return connection
                            }
                        }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(connections.count == 300)
                    for connection in connections { #expect(connection.isOpen) }
                    #expect(!jump.log.contains("drop connection"))
                    for connection in connections { await connection.close() }
                }
            }
        }
    }
}

import Foundation
import Glibc
import Testing

@testable import SSHTransport

/// What the rest of the program counts on, whatever carries a connection.
@Suite("Both transports keep the same promises", .serialized)
struct ConformanceTests {
    enum Transport: CaseIterable { case libssh2, openssh }

    private func withConnector(
        _ transport: Transport,
        _ body: (@escaping @Sendable (SSHTarget, String) async throws -> any RemoteConnection) async throws -> Void
    ) async throws {
        switch transport {
        case .libssh2:
            try await withClient { client in try await body { target, _ in try await client.connect(to: target) } }
        case .openssh:
            try await withOpenSSH { client in
                try await body { target, keyPath in
                    try await client.connect(to: ConformanceTests.target(target, keyPath))
                }
            }
        }
    }

    private func withOpenSSH(_ body: (OpenSSHClient) async throws -> Void) async throws {
        let client = try OpenSSHClient()
        do {
            try await body(client)
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }

    private static func target(_ target: SSHTarget, _ keyPath: String) -> OpenSSHTarget {
        OpenSSHTarget(
            place: target, identityFiles: [keyPath], configFile: "none",
            jumps: target.jumps.map { ConformanceTests.target($0, $0.identities[0].path) })
    }

    private func withConnection(
        _ transport: Transport, config: String = "",
        _ body: (any RemoteConnection, TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run(config: config) { server in
            try await withConnector(transport) { connect in
                let connection = try await connect(try server.target(), server.userKeyPath)
                try await body(connection, server)
                await connection.close()
            }
        }
    }

    @Test("input, output, standard error and status of a command", arguments: Transport.allCases)
    func command(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let output = try await connection.run("cat; echo problem >&2; exit 3", input: Array("hello".utf8))
            #expect(output.standardOutput == Array("hello".utf8))
            #expect(output.standardErrorTail == Array("problem\n".utf8))
            #expect(output.exit == SSHExit(status: 3, signal: nil))
        }
    }

    @Test("the key that a server proves to own is told without a login", arguments: Transport.allCases)
    func hostKey(transport: Transport) async throws {
        try await TestServer.run { server in
            try await withKeyReader(transport) { hostKey in
                var target = try server.target()
                let own = target.hostKeys
                target.hostKeys = []
                target.identities = []
                #expect(try await [hostKey(target)] == own)
                #expect(!server.log.contains("Accepted"))
                target.port = 1
                let error = try await failure { _ = try await hostKey(target) }
                #expect(error.code == .connectionRefused)
            }
        }
    }

    private func withKeyReader(
        _ transport: Transport, _ body: ((SSHTarget) async throws -> SSHHostKey) async throws -> Void
    ) async throws {
        switch transport {
        case .libssh2: try await withClient { client in try await body { try await client.hostKey(of: $0) } }
        case .openssh:
            try await withOpenSSH { client in
                try await body { try await client.hostKey(of: OpenSSHTarget(place: $0, configFile: "none")) }
            }
        }
    }

    @Test("8 MB go there and back byte for byte", arguments: Transport.allCases)
    func transfer(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let bytes = (0..<(8 * 1024 * 1024)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 11) }
            let output = try await connection.run("cat", input: bytes, limitBytes: bytes.count)
            #expect(output.standardOutput == bytes)
        }
    }

    @Test("a conversation of lines, with another command beside it", arguments: Transport.allCases)
    func conversation(transport: Transport) async throws {
        try await withConnection(transport) { connection, server in
            let talk = try await connection.execute("exec cat")
            for number in 1...50 {
                let line = Array("line \(number)\n".utf8)
                try await talk.write(line)
                #expect(try await talk.read() == line)
            }
            #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            talk.sendEOF()
            #expect(try await talk.read() == nil)
            #expect(try await talk.exit() == SSHExit(status: 0, signal: nil))
            #expect(server.log.matches(of: /Accepted publickey/).count == 1)
        }
    }

    @Test("output above its limit ends the command", arguments: Transport.allCases)
    func outputLimit(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let error = try await failure { _ = try await connection.run("yes", limitBytes: 100_000) }
            #expect(error.code == .limitExceeded)
            #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
        }
    }

    @Test("a reader that stops bounds what waits for it, and other commands go on", arguments: Transport.allCases)
    func stoppedReader(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let endless = try await connection.execute("yes")
            #expect(try await endless.read() != nil)
            #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            endless.close()
        }
    }

    @Test("silence hits the progress deadline and the command can still be read", arguments: Transport.allCases)
    func progressTimedOut(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let command = try await connection.execute("read line; echo \"$line\"")
            let error = try await failure { _ = try await command.read(timeout: .milliseconds(200)) }
            #expect(error.code == .progressTimedOut)
            try await command.write(Array("late\n".utf8))
            #expect(try await command.read() == Array("late\n".utf8))
        }
    }

    @Test("a failed upload tells the host's own words", arguments: Transport.allCases)
    func failedUpload(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let error = try await failure { try await connection.upload([1, 2, 3], to: "/no/such/folder/file") }
            #expect(error.code == .uploadFailed)
            #expect(error.message.contains("/no/such/folder/file"))
        }
    }

    @Test(
        "a server that dies while we read is a lost connection, after what it had sent", arguments: Transport.allCases)
    func serverKilled(transport: Transport) async throws {
        try await withConnection(transport) { connection, server in
            let command = try await connection.execute("echo $PPID; exec cat")
            let session = try #require(
                pid_t(String(decoding: try await command.read() ?? [], as: UTF8.self).dropLast()))
            kill(session, SIGKILL)
            let error = try await failure { _ = try await command.read() }
            #expect(error.code == .connectionLost, "\(error)")
        }
    }

    @Test("a cancelled read loses no byte for the next reader", arguments: Transport.allCases)
    func cancelledRead(transport: Transport) async throws {
        try await withConnection(transport) { connection, _ in
            let command = try await connection.execute("cat")
            let reading = Task { try await command.read() }
            reading.cancel()
            #expect(try await failure { _ = try await reading.value }.code == .cancelled)
            try await command.write(Array("kept\n".utf8))
            #expect(try await command.read() == Array("kept\n".utf8))
        }
    }

    @Test("a session limit of the server is a refused command", arguments: Transport.allCases)
    func serverLimit(transport: Transport) async throws {
        try await withConnection(transport, config: "MaxSessions 1") { connection, _ in
            let first = try await connection.execute("echo begun; exec cat")
            #expect(try await first.read() == Array("begun\n".utf8))
            let error = try await failure { _ = try await connection.run("true") }
            #expect(error.code == .execRefused, "\(error)")
            try await first.write(Array("on\n".utf8))
            #expect(try await first.read() == Array("on\n".utf8))
        }
    }

    @Test("jump hosts, one and two deep", arguments: Transport.allCases, [1, 2])
    func jumps(transport: Transport, depth: Int) async throws {
        try await TestServer.run { outer in
            try await TestServer.run { inner in
                try await TestServer.run { server in
                    try await withConnector(transport) { connect in
                        let way = [try outer.target(named: "bastion-1"), try inner.target(named: "bastion-2")].prefix(
                            depth)
                        for number in 1...3 {
                            let connection = try await connect(
                                try server.target(named: "core-\(number)", behind: Array(way)), server.userKeyPath)
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
            try await withConnector(transport) { connect in
                var target = try server.target()
                target.address = "::1"
                let connection = try await connect(target, server.userKeyPath)
                #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
                #expect(server.log.contains("Connection from ::1 "))
            }
        }
    }

    // MARK: What goes wrong before a command

    /// Connects, and says why that failed.
    private func refusal(
        _ transport: Transport, _ target: SSHTarget, _ keyPath: String
    ) async throws -> SSHError {
        var refusal: SSHError?
        try await withConnector(transport) { connect in
            refusal = try await failure { _ = try await connect(target, keyPath) }
        }
        return try #require(refusal)
    }

    @Test("a changed host key, an unknown one, none pinned: nothing is proved to it", arguments: Transport.allCases)
    func hostKeys(transport: Transport) async throws {
        try await TestServer.run { server in
            try await TestServer.run(hostKeyType: ["-t", "ecdsa"]) { other in
                let before = server.log.matches(of: /userauth-request/).count
                for keys in [[], [other.hostKey]] {
                    let error = try await refusal(transport, try server.target(hostKeys: keys), server.userKeyPath)
                    // OpenSSH calls a key of another type changed as well.
                    #expect([.hostKeyUnknown, .hostKeyChanged].contains(error.code), "\(error)")
                }
                #expect(server.log.matches(of: /userauth-request/).count == before)
            }
            try await TestServer.run { other in
                let target = try server.target(hostKeys: [other.hostKey])
                let error = try await refusal(transport, target, server.userKeyPath)
                #expect(error.code == .hostKeyChanged, "\(error)")
                #expect(error.message.contains(server.hostKey.fingerprint))
                #expect(!server.log.contains("userauth-request"))
            }
        }
    }

    @Test("a key that is not accepted", arguments: Transport.allCases)
    func wrongKey(transport: Transport) async throws {
        try await TestServer.run { server in
            try await TestServer.run { other in
                let target = try server.target(identities: [try other.identity()])
                let error = try await refusal(transport, target, other.userKeyPath)
                #expect(error.code == .authenticationRefused, "\(error)")
            }
        }
    }

    @Test("a closed port and a name without an address", arguments: Transport.allCases)
    func nobodyThere(transport: Transport) async throws {
        try await TestServer.run { server in
            var target = try server.target()
            target.port = try freePort(server.address)
            #expect(try await refusal(transport, target, server.userKeyPath).code == .connectionRefused)
            target.address = "no-such-host.invalid"
            #expect(try await refusal(transport, target, server.userKeyPath).code == .unreachable)
        }
    }

    @Test("a server that stops after its banner hits a deadline", arguments: Transport.allCases)
    func stalledKeyExchange(transport: Transport) async throws {
        try await TestServer.run { server in
            let listener = try RawListener()
            defer { listener.stop() }
            listener.serveOnce("SSH-2.0-stalled\r\n", .silence)
            var target = try server.target(
                deadlines: SSHDeadlines(connect: .seconds(1), handshake: .seconds(1), authentication: .seconds(1)))
            (target.address, target.port) = ("127.0.0.1", listener.port)
            let error = try await refusal(transport, target, server.userKeyPath)
            let deadlines: [SSHError.Code] = [
                .connectTimedOut, .bannerTimedOut, .handshakeTimedOut, .authenticationTimedOut,
            ]
            #expect(deadlines.contains(error.code), "\(error)")
        }
    }
}

/// What only OpenSSH's own client can do.
@Suite("OpenSSH's client as a transport", .serialized)
struct OpenSSHClientTests {
    private func run(_ target: OpenSSHTarget) async throws -> [UInt8] {
        let client = try OpenSSHClient()
        do {
            let output = try await client.connect(to: target).run("echo ok").standardOutput
            await client.close()
            return output
        } catch {
            await client.close()
            throw error
        }
    }

    @Test(
        "servers that libssh2 shares no algorithm with, which it names",
        arguments: [
            "Ciphers aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
            "MACs hmac-sha2-512-etm@openssh.com\nCiphers aes256-ctr",
        ])
    func hardened(config: String) async throws {
        try await TestServer.run(config: config) { server in
            let target = try server.target()
            try await withClient { client in
                let error = try await failure { _ = try await client.connect(to: target) }
                #expect(error.code == .noCommonAlgorithm)
            }
            let openSSH = OpenSSHTarget(place: target, identityFiles: [server.userKeyPath], configFile: "none")
            #expect(try await run(openSSH) == Array("ok\n".utf8))
        }
    }

    @Test("a login by certificate, and a ProxyCommand of ssh_config")
    func certificateAndProxyCommand() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeKey(["-t", "ed25519"], at: "\(folder)/ca")
        try makeKey(["-t", "ed25519"], at: "\(folder)/key")
        let signing = try spawn([
            "/usr/bin/ssh-keygen", "-q", "-s", "\(folder)/ca", "-I", "test", "-n", NSUserName(), "\(folder)/key.pub",
        ])
        try #require(exitStatus(of: signing) == 0)
        try await TestServer.run(config: "TrustedUserCAKeys \(folder)/ca.pub") { server in
            try """
            Host core-by-proxy
              ProxyCommand bash -c 'exec 3<>/dev/tcp/\(server.address)/\(server.port); cat <&3 & cat >&3'
            """.write(toFile: "\(folder)/config", atomically: true, encoding: .utf8)
            let target = OpenSSHTarget(
                place: try server.target(), alias: "core-by-proxy", identityFiles: ["\(folder)/key"],
                configFile: "\(folder)/config")
            #expect(try await run(target) == Array("ok\n".utf8))
            #expect(server.log.contains("ED25519-CERT"))
        }
    }

    @Test("closing leaves no process and no file")
    func nothingLeft() async throws {
        try await TestServer.run { server in
            let client = try OpenSSHClient()
            let target = OpenSSHTarget(
                place: try server.target(), identityFiles: [server.userKeyPath], configFile: "none")
            let connection = try await client.connect(to: target)
            let folder = URL(fileURLWithPath: connection.options.controlPath).deletingLastPathComponent().path
            #expect(try await connection.run("echo ok").standardOutput == Array("ok\n".utf8))
            #expect(FileManager.default.fileExists(atPath: folder))
            await client.close()
            #expect(!FileManager.default.fileExists(atPath: folder))
            try await eventually("the background ssh ends") {
                let looking = try spawn(["/usr/bin/pgrep", "-f", folder])
                return exitStatus(of: looking) != 0
            }
        }
    }

    @Test("a folder goes although others remove its files at the same time")
    func filesVanish() async throws {
        for _ in 0..<200 {
            let folder = try temporaryFolder()
            let socket = "\(folder)/1"
            for path in [socket, "\(folder)/1.known"] {
                #expect(FileManager.default.createFile(atPath: path, contents: nil))
            }
            async let other = unlink(socket)
            OpenSSHClient.remove(folder)
            _ = await other
            #expect(!FileManager.default.fileExists(atPath: folder))
        }
    }
}

import Foundation
import Glibc
import Testing

@testable import SSHTransport

/// What the rest of the program counts on, whatever carries a connection: reaching a host and logging in. What holds for its
/// commands stands in `ConformanceTests+Commands.swift`.
@Suite("Both transports keep the same promises", .serialized)
struct ConformanceTests {
    // MARK: Ways in

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

    @Test("an ssh-agent that refuses to sign is no refusal of the host", arguments: Transport.allCases)
    func agentRefuses(transport: Transport) async throws {
        try await TestServer.run { server in
            try await withAgent { agent in
                // Each use is to be confirmed, and there is nobody to ask.
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

    @Test("the key that a server proves to own is told without a login", arguments: Transport.allCases)
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

    // MARK: What goes wrong before a command

    /// Connects, and says why that failed.
    private func refusal(_ transport: Transport, _ target: SSHTarget) async throws -> SSHError {
        var refusal: SSHError?
        try await withConnector(transport) { connector in
            refusal = try await failure { _ = try await connector.connect(to: target) }
        }
        return try #require(refusal)
    }

    @Test("a changed host key, an unknown one, none pinned: nothing is proved to it", arguments: Transport.allCases)
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
            // With nothing pinned nobody came.
            try await eventually("the server notices") {
                server.log.matches(of: /Connection (closed by|reset by) \S+ port \d+ \[preauth\]/).count == 2
            }
            #expect(!server.log.contains("userauth-request"))
        }
    }

    @Test(
        "a key that is not accepted, whatever the server says to people before it refuses",
        arguments: Transport.allCases)
    func wrongKey(transport: Transport) async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Words of OpenSSH's client that mean something else.
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

    @Test("a login that is given up behind a jump host leaves no process")
    func nothingLeftOfAnAttempt() async throws {
        try await TestServer.run { server in
            let listener = try RawListener(backlog: 0)
            defer { listener.stop() }
            let fillers = (0..<4).map { _ in beginConnect("127.0.0.1", listener.port, nonblocking: true).descriptor }
            defer { for filler in fillers { close(filler) } }
            var target = try server.target(behind: [try server.target(named: "bastion-1")])
            (target.address, target.port) = ("127.0.0.1", listener.port)
            try await withConnector(.openssh) { connector in
                let attempt = Task { [target] in _ = try await connector.connect(to: target) }
                let words = "-W \\[127.0.0.1\\]:\(listener.port)"
                let isRunning = { exitStatus(of: try spawn(["/usr/bin/pgrep", "-f", "--", words])) == 0 }
                try await eventually("the jump host is asked for a way on") { try isRunning() }
                attempt.cancel()
                #expect(try await failure { try await attempt.value }.code == .cancelled)
                try await eventually("no process is left") { try !isRunning() }
            }
        }
    }

    @Test("what a command says before ssh says that it started is kept, and nothing of its log")
    func lateStart() {
        let log =
            "debug2: fd 3 setting O_NONBLOCK\r\nfirst\npartdebug1: mux_client_request_session: master session id: 2\r\n"
        for cut in 0...log.utf8.count {
            var command = OpenSSHCommandLog()
            command.take(Array(log.utf8.prefix(cut)))
            #expect(command.hasStarted == (cut == log.utf8.count))
            command.take(Array(log.utf8.dropFirst(cut)))
            command.take(Array("ial\ndebug2: Received exit status from master 3\r\n".utf8))
            #expect(command.end() == .status)
            #expect(command.commandTail == Array("first\npartial\n".utf8))
        }
    }

    @Test("no log ends the program, whatever a server or a command puts into it")
    func anyLog() throws {
        let words = [
            "debug1: ", "debug3: receive packet: type 51", "debug1: Server host key: ", "ssh-ed25519 SHA256:", "\r\n",
            "\n", " ",
            "debug3: input_userauth_banner: entering", "debug1: mux_client_request_session: master session id: ",
            "debug2: Received exit status from master ", "debug2: Control master terminated unexpectedly", "3",
            "\u{1b}[31m",
            "debug1: SSH2_MSG_NEWKEYS received", "debug1: Server accepts key", "Permission denied", "signing failed",
        ].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...12)).flatMap { _ in
                (words.randomElement() ?? []) + (Bool.random() ? [UInt8.random(in: 0...255)] : [])
            }
            let log = OpenSSHLog(bytes)
            #expect(!log.isLoggingIn || [.agent, .authentication, nil].contains(log.phase))
            #expect(log.complaint?.utf8.allSatisfy { (0x20..<0x7f).contains($0) } ?? true)
            _ = (log.code, log.hostKey, log.keyCount)
            var command = OpenSSHCommandLog()
            let cut = Int.random(in: 0...bytes.count)
            command.take(Array(bytes[..<cut]))
            command.take(Array(bytes[cut...]))
            _ = (command.end(), command.own.complaint)
            #expect(command.hasStarted || command.commandTail.isEmpty)
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

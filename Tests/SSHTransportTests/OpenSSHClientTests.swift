import Foundation
import Glibc
import TestSupport
import Testing

@testable import SSHTransport

/// Tests what only OpenSSH's own client can do.
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
        "servers that share no algorithm with libssh2 are refused by it and reached by OpenSSH's client",
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

    @Test("a destination comes after --, and GSSAPI key exchange is never used")
    func commandLines() async throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (wrapper, log) = ("\(folder)/ssh", "\(folder)/log")
        try "#!/bin/sh\n{ printf '%s\\t' \"$@\"; echo; } >> '\(log)'\nexec ssh \"$@\"\n"
            .write(toFile: wrapper, atomically: true, encoding: .utf8)
        chmod(wrapper, 0o700)
        try await TestServer.run { server in
            let place = try server.target()
            let target = OpenSSHTarget(place: place, identityFiles: [server.userKeyPath], configFile: "none")
            let client = try OpenSSHClient(program: ["/usr/bin/env", wrapper])
            #expect(try await client.connect(to: target).run("echo ok").standardOutput == Array("ok\n".utf8))
            _ = try await client.hostKey(of: target)
            await client.close()
            let calls = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
                .map { $0.split(separator: "\t").map(String.init) }
            // The trial, the login, the command, the host key and the end.
            #expect(calls.count >= 5)
            for call in calls {
                let mark = try #require(call.firstIndex(of: "--"), "\(call)")
                #expect(["host.invalid", place.address].contains(call[mark + 1]), "\(call)")
                #expect(!call[..<mark].contains(place.address), "\(call)")
            }
            let probe = try spawn(["/usr/bin/ssh", "-F", "none", "-G", "-o", "GSSAPIKeyExchange=no", "--", "x"])
            let isKnown = exitStatus(of: probe) == 0
            for call in calls.dropFirst() {
                #expect(call.contains("GSSAPIKeyExchange=no") == isKnown, "\(call)")
                #expect(call.contains("GSSAPIDelegateCredentials=no"), "\(call)")
            }
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

    @Test("a cancelled login behind a jump host leaves no process")
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
                try await eventually("ssh asks the jump host for a tunnel") { try isRunning() }
                attempt.cancel()
                #expect(try await failure { try await attempt.value }.code == .cancelled)
                try await eventually("no process is left") { try !isRunning() }
            }
        }
    }

    @Test("output of a command before ssh reports its start is kept, without ssh's log")
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

    @Test("a folder is removed even if others remove its files at the same time")
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

/// What is read from the client's log needs no server.
@Suite("The log of OpenSSH's client")
struct OpenSSHLogTests {
    @Test("no log crashes the program, whatever a server or a command writes into it")
    func anyLog() async {
        let words = [
            "debug1: ", "debug3: receive packet: type 51", "debug1: Server host key: ", "ssh-ed25519 SHA256:", "\r\n",
            "\n", " ",
            "debug3: input_userauth_banner: entering", "debug1: mux_client_request_session: master session id: ",
            "debug2: Received exit status from master ", "debug2: Control master terminated unexpectedly", "3",
            "\u{1b}[31m",
            "debug1: SSH2_MSG_NEWKEYS received", "debug1: Server accepts key", "Permission denied", "signing failed",
        ].map { Array($0.utf8) }
        for round in 0..<20_000 {
            // Lets other tests have the thread.
            if round.isMultiple(of: 20) { await Task.yield() }
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
}

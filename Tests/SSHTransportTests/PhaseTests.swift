import Foundation
import Glibc
import Testing

@testable import SSHTransport

/// The other side falls silent in each phase in turn: each phase has its own deadline and its own error.
@Suite("Each phase has its deadline")
struct PhaseTests {
    // One phase after the other, but both transports at once, because they mostly wait.

    @Suite("of libssh2", .serialized)
    struct OfLibssh2 {
        @Test("a silent peer gives a different error in each phase", arguments: Phase.allCases)
        func silent(phase: Phase) async throws { try await PhaseTests.silent(.libssh2, phase) }
    }

    @Suite("of OpenSSH's client", .serialized)
    struct OfOpenSSH {
        @Test("a silent peer gives a different error in each phase", arguments: Phase.allCases)
        func silent(phase: Phase) async throws { try await PhaseTests.silent(.openssh, phase) }
    }

    enum Phase: String, CaseIterable {
        case resolution, connect, tunnel, banner, bannerBehindJump, keyExchange, authentication, agent, exec, upload
        case output, silence

        var code: SSHError.Code {
            switch self {
            case .resolution: .resolutionTimedOut
            case .connect, .tunnel: .connectTimedOut
            case .banner, .bannerBehindJump: .bannerTimedOut
            case .keyExchange: .handshakeTimedOut
            case .authentication: .authenticationTimedOut
            case .agent: .agentFailed
            case .exec: .execTimedOut
            case .upload: .uploadTimedOut
            case .output: .progressTimedOut
            case .silence: .connectionLost
            }
        }
    }

    /// Only the phase's own deadline is short; it is longer if something has to be done first, such as a
    /// banner sent or a command started, while the machine may be busy.
    private static func deadlines(_ phase: Phase) -> SSHDeadlines {
        var deadlines = SSHDeadlines.patient
        deadlines.silence = .seconds(55)
        switch phase {
        case .resolution: deadlines.resolution = .milliseconds(300)
        case .connect, .tunnel: deadlines.connect = .milliseconds(700)
        case .banner, .bannerBehindJump: deadlines.handshake = .milliseconds(300)
        case .keyExchange: deadlines.handshake = .seconds(3)
        case .authentication: deadlines.authentication = .milliseconds(700)
        case .agent: deadlines.agent = .milliseconds(300)
        case .exec: deadlines.exec = .seconds(5)
        case .upload, .output: break
        case .silence: deadlines.silence = .seconds(6)
        }
        return deadlines
    }

    private static func silent(_ transport: Transport, _ phase: Phase) async throws {
        if phase == .authentication, getuid() != 0 { try Test.cancel("needs root") }
        if phase == .resolution, !SilentNameServer.isAvailable { try Test.cancel("needs root and mount namespaces") }
        // The agent is asked about keys that are in no file.
        let stall = "AuthorizedKeysCommand /bin/sleep 10\nAuthorizedKeysCommandUser root"
        try await TestServer.run(config: phase == .authentication ? stall : "") { server in
            let names = phase == .resolution ? try SilentNameServer(folder: server.folder) : nil
            defer { names?.stop() }
            try await withConnector(transport, nameServer: names) { connector in
                let target = try server.target(deadlines: PhaseTests.deadlines(phase))
                let error = try await provoke(phase, connector, server, target)
                #expect(error.code == phase.code, "\(error)")
                #expect(error.host == "core-1")
            }
        }
    }

    private static func provoke(
        _ phase: Phase, _ connector: Connector, _ server: TestServer, _ plain: SSHTarget
    ) async throws -> SSHError {
        var target = plain
        switch phase {
        case .resolution:
            target.address = "core-1.example"
            return try await failure { [target] in _ = try await connector.connect(to: target) }
        case .connect, .tunnel, .banner, .bannerBehindJump, .keyExchange:
            let isDeaf = phase == .connect || phase == .tunnel
            let listener = try RawListener(backlog: isDeaf ? 0 : 16)
            defer { listener.stop() }
            // A full accept queue makes the kernel drop further SYNs.
            let fillers = (0..<(isDeaf ? 4 : 0)).map { _ in
                beginConnect("127.0.0.1", listener.port, nonblocking: true).descriptor
            }
            defer { for filler in fillers { close(filler) } }
            if phase == .keyExchange { listener.serveOnce("SSH-2.0-stalled\r\n", .silence) }
            if phase == .tunnel || phase == .bannerBehindJump {
                target.jumps = [try server.target(named: "bastion-1")]
            }
            (target.address, target.port) = ("127.0.0.1", listener.port)
            return try await failure { [target] in _ = try await connector.connect(to: target) }
        case .authentication:
            try makeKey(["-t", "ed25519"], at: "\(server.folder)/stranger")
            target.identities = [try SSHIdentity.load(path: "\(server.folder)/stranger")]
            return try await failure { [target] in _ = try await connector.connect(to: target) }
        case .agent:
            var stalled: SSHError?
            try await withAgent { agent in
                try agent.add(server.userKeyPath)
                let login = try await connector.login(to: target, key: server.userKeyPath, heldBy: agent)
                kill(agent.process, SIGSTOP)
                defer { kill(agent.process, SIGCONT) }
                stalled = try await failure { _ = try await login() }
            }
            return try #require(stalled)
        case .upload:
            // Held open here and never read: the host's cat blocks, and ends once this is closed.
            let path = "\(server.folder)/pipe"
            try #require(mkfifo(path, 0o600) == 0)
            let pipe = open(path, O_RDWR)
            defer { close(pipe) }
            let connection = try await connector.connect(to: target)
            return try await failure {
                _ = try await connection.upload(
                    Array(repeating: 1, count: 8 << 20), by: "cat > \(path)", timeout: .milliseconds(300))
            }
        case .exec, .output, .silence:
            let connection = try await connector.connect(to: target)
            let command = try await connection.execute("echo $PPID; exec cat")
            let session = try #require(
                pid_t(String(decoding: try await command.read() ?? [], as: UTF8.self).dropLast()))
            kill(session, SIGSTOP)
            defer { kill(session, SIGCONT) }
            return try await failure {
                switch phase {
                case .exec: _ = try await connection.execute("true")
                case .output: _ = try await command.read(timeout: .milliseconds(300))
                default: _ = try await command.read()
                }
            }
        }
    }
}

import Foundation
import Glibc
import Testing

@testable import SSHTransport

/// The two implementations of a connection; both keep the same promises.
enum Transport: CaseIterable { case libssh2, openssh }

/// Connects in one of the two ways.
struct Connector: Sendable {
    fileprivate enum Client {
        case libssh2(SSHClient)
        case openssh(OpenSSHClient)
    }

    fileprivate let client: Client

    func connect(to target: SSHTarget) async throws -> any RemoteConnection {
        switch client {
        case .libssh2(let client): try await client.connect(to: target)
        case .openssh(let client): try await client.connect(to: Connector.openSSH(target))
        }
    }

    /// Returns a function that logs in with a key that only the agent can use; the agent's keys are read beforehand.
    ///
    /// - Parameter keyPath: the path of the private key, beside which the public one is.
    func login(
        to target: SSHTarget, key keyPath: String, heldBy agent: TestAgent
    ) async throws -> () async throws -> any RemoteConnection {
        switch client {
        case .libssh2(let client):
            var target = target
            target.identities = [
                try await SSHIdentity.load(path: keyPath + ".pub", heldBy: client.agent(at: agent.socketPath))
            ]
            return { [target] in try await client.connect(to: target) }
        case .openssh(let client):
            var target = Connector.openSSH(target)
            target.identityFiles = [keyPath + ".pub"]
            target.agentSocket = agent.socketPath
            return { [target] in try await client.connect(to: target) }
        }
    }

    func hostKey(of target: SSHTarget) async throws -> SSHHostKey {
        switch client {
        case .libssh2(let client): try await client.hostKey(of: target)
        case .openssh(let client): try await client.hostKey(of: Connector.openSSH(target))
        }
    }

    /// The same target for OpenSSH's client, which reads no ssh_config.
    private static func openSSH(_ target: SSHTarget) -> OpenSSHTarget {
        OpenSSHTarget(
            place: target, identityFiles: target.identities.map(\.path), configFile: "none",
            jumps: target.jumps.map(openSSH))
    }
}

/// Runs the body with a client of this kind and closes it afterwards.
///
/// - Parameter nameServer: the server that resolves names; nil for this machine's own.
func withConnector(
    _ transport: Transport, nameServer: SilentNameServer? = nil, _ body: (Connector) async throws -> Void
) async throws {
    switch transport {
    case .libssh2:
        let names = nameServer.map { NameResolver($0.lookup) } ?? NameResolver()
        try await withClient(names: names) { try await body(Connector(client: .libssh2($0))) }
    case .openssh:
        let client = try OpenSSHClient(program: (nameServer?.prefix ?? []) + ["ssh"])
        do {
            try await body(Connector(client: .openssh(client)))
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }
}

/// Runs the body with a server of this configuration and a connection to it.
func withConnection(
    _ transport: Transport, config: String = "", deadlines: SSHDeadlines = .patient,
    _ body: (any RemoteConnection, TestServer) async throws -> Void
) async throws {
    try await TestServer.run(config: config) { server in
        try await withConnector(transport) { connector in
            let connection = try await connector.connect(to: try server.target(deadlines: deadlines))
            try await body(connection, server)
            await connection.close()
        }
    }
}

/// A name server that receives every query and answers none.
final class SilentNameServer: Sendable {
    private let socket: CInt
    private let configPath: String
    private let silence = DispatchSemaphore(value: 0)

    /// Whether it is available: its port and a private resolv.conf need root.
    static var isAvailable: Bool {
        guard getuid() == 0, let probe = try? spawn(["/usr/bin/unshare", "--mount", "/bin/true"]) else { return false }
        return exitStatus(of: probe) == 0
    }

    init(folder: String) throws {
        // Queries go to port 53 only, so a free address is needed.
        let address = "127.53.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"
        (socket, _) = try boundSocket(address, type: SOCK_DGRAM, port: 53)
        configPath = "\(folder)/resolv.conf"
        try "nameserver \(address)\n".write(toFile: configPath, atomically: true, encoding: .utf8)
    }

    /// The command prefix for a program that should ask this server, in its own mount namespace.
    var prefix: [String] {
        [
            "/usr/bin/unshare", "--mount", "/bin/sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"",
            configPath,
        ]
    }

    /// Replaces a lookup in this process, which cannot have its own resolv.conf: blocks until the server ends.
    var lookup: NameResolver.Lookup {
        { [silence] _, _ in
            silence.wait()
            throw NameResolver.Failure(description: "no answer")
        }
    }

    func stop() {
        silence.signal()
        close(socket)
    }
}

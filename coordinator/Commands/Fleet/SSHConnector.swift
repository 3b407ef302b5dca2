import CoordinatorRuntime
import Foundation
import SSHTransport
import Synchronization
import UpgradeDomain

/// Reaches agents over SSH: pinned host key, login, the agent brought there by digest when it is absent.
final class SSHConnector: HostConnector {
    /// Where agents are kept on a host, below the login's home.
    static let agentFolder = ".local/lib/lockflight"
    static let uploadTimeout = Duration.seconds(60)

    private let client: SSHClient
    private let keys: KeyRing
    private let ways: JumpWays
    private let binaries: AgentBinaries
    private let deadlines: SSHDeadlines
    private let cache = Mutex(Cache())

    /// What is read once per process.
    private struct Cache {
        var agents: [String: AgentBinary] = [:]
    }

    init(
        client: SSHClient, keys: KeyRing, ways: JumpWays, binaries: AgentBinaries,
        deadlines: SSHDeadlines = SSHDeadlines()
    ) {
        self.client = client
        self.keys = keys
        self.ways = ways
        self.binaries = binaries
        self.deadlines = deadlines
    }

    func connect(to host: UpgradeDomain.Host) async throws(ContactFailure) -> any AgentChannel {
        do throws(SSHError) {
            let connection = try await logIn(to: host)
            do throws(SSHError) {
                let path = try await bringAgent(to: host, over: connection)
                let exec = try await connection.execute("exec \"$HOME/\(path)\" serve")
                return SSHAgentChannel(connection: connection, exec: exec)
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            throw ContactFailure(ssh: error)
        }
    }

    /// The key that a host shows before anybody logs in.
    func hostKey(of host: UpgradeDomain.Host) async throws(SSHError) -> SSHHostKey {
        try await client.hostKey(of: try await target(host, []))
    }

    private func logIn(to host: UpgradeDomain.Host) async throws(SSHError) -> SSHConnection {
        let choice = try await keys.choice(for: host)
        let target = try await target(host, choice.identities)
        do {
            return try await client.connect(to: target)
        } catch {
            guard error.code == .authenticationRefused, !choice.problems.isEmpty else { throw error }
            let others = choice.problems.map(\.message).joined(separator: ". ")
            throw SSHError(
                code: error.code, host: error.host, message: "\(error.message). Not tried: \(others)",
                cause: error.cause)
        }
    }

    private func target(
        _ host: UpgradeDomain.Host, _ identities: [SSHIdentity]
    ) async throws(SSHError) -> SSHTarget {
        var target = place(host, identities)
        for jump in try ways.way(to: host) {
            target.jumps.append(place(jump, try await keys.choice(for: jump).identities))
        }
        return target
    }

    private func place(_ host: UpgradeDomain.Host, _ identities: [SSHIdentity]) -> SSHTarget {
        var deadlines = deadlines
        if let seconds = host.silenceSeconds { deadlines.silence = .seconds(seconds) }
        return SSHTarget(
            host: host.name.rawValue, address: host.address, port: host.port, user: host.user,
            hostKeys: host.hostKeys.compactMap(SSHHostKey.init), identities: identities, deadlines: deadlines)
    }

    // MARK: The agent

    /// The agent's path below the login's home, after making sure that it is there with the right content.
    private func bringAgent(to host: UpgradeDomain.Host, over connection: SSHConnection) async throws(SSHError)
        -> String
    {
        let architecture = try await line(of: "uname -m", on: connection)
        guard let agent = agent(for: architecture) else {
            throw SSHError(
                code: .uploadFailed, host: host.name.rawValue,
                message: "there is no lockflight-agent build for \(architecture), so \(host.name) can take no part; "
                    + "looked in \(binaries.folders.joined(separator: ", ")). Build it with `make agent`.")
        }
        let path = "\(SSHConnector.agentFolder)/agent-\(agent.hexDigest)"
        let found = try await line(of: "test -x \"$HOME/\(path)\" && echo present || echo absent", on: connection)
        if found != "present" { try await upload(agent, to: path, on: host, over: connection) }
        return path
    }

    /// Uploads under a name of our own, verifies the digest on the host, and renames, so that the final name only
    /// ever holds the whole agent.
    private func upload(
        _ agent: AgentBinary, to path: String, on host: UpgradeDomain.Host, over connection: SSHConnection
    ) async throws(SSHError) {
        let part = "\(path).\(UUID().uuidString).part"
        let make = "umask 077; mkdir -p \"$HOME/\(SSHConnector.agentFolder)\" && cat > \"$HOME/\(part)\""
        let verify = "echo '\(agent.hexDigest)  '\"$HOME/\(part)\" | sha256sum -c - >&2"
        let publish = "chmod 700 \"$HOME/\(part)\" && mv \"$HOME/\(part)\" \"$HOME/\(path)\" && echo published"
        let output = try await connection.run(
            "(\(make) && \(verify) && \(publish)) || { rm -f \"$HOME/\(part)\"; echo failed; }",
            input: agent.bytes, timeout: SSHConnector.uploadTimeout)
        guard String(decoding: output.standardOutput, as: UTF8.self).hasSuffix("published\n") else {
            let words = String(decoding: output.standardErrorTail.suffix(200), as: UTF8.self)
            throw SSHError(
                code: .uploadFailed, host: host.name.rawValue,
                message: "the agent could not be stored on \(host.name), so it can take no part; check the free space "
                    + "and the permissions of ~/\(SSHConnector.agentFolder) there", cause: words)
        }
    }

    /// The last line a command prints; rc files may print others before it.
    private func line(of command: String, on connection: SSHConnection) async throws(SSHError) -> String {
        let output = try await connection.run(command, limitBytes: 65_536, timeout: deadlines.exec)
        let text = String(decoding: output.standardOutput, as: UTF8.self)
        return text.split(separator: "\n").last.map(String.init) ?? ""
    }

    private func agent(for architecture: String) -> AgentBinary? {
        cache.withLock { cache in
            if let known = cache.agents[architecture] { return known }
            let binary = binaries.binary(for: architecture)
            cache.agents[architecture] = binary
            return binary
        }
    }
}

extension SSHHostKey {
    init?(_ key: HostKey) {
        guard let blob = Data(base64Encoded: key.base64) else { return nil }
        self.init(blob: [UInt8](blob))
    }
}

/// An agent on an SSH channel.
struct SSHAgentChannel: AgentChannel {
    let connection: SSHConnection
    let exec: SSHExec

    func send(_ bytes: [UInt8]) async throws(ContactFailure) {
        do throws(SSHError) { try await exec.write(bytes) } catch { throw ContactFailure(ssh: error) }
    }

    func receive() async throws(ContactFailure) -> [UInt8]? {
        do throws(SSHError) {
            if let bytes = try await exec.read() { return bytes }
        } catch {
            throw ContactFailure(ssh: error)
        }
        let tail = await exec.standardErrorTail()
        guard !tail.isEmpty else { return nil }
        throw ContactFailure(.agentUnusable, "the agent ended: \(String(decoding: tail.suffix(200), as: UTF8.self))")
    }

    func close() async {
        exec.close()
        await connection.close()
    }
}

extension ContactFailure {
    /// A transport error in the words of a hold.
    init(ssh error: SSHError) {
        let code: HoldCode =
            switch error.code {
            case .hostKeyUnknown: .hostKeyUnknown
            case .hostKeyChanged: .hostKeyChanged
            case .authenticationRefused, .agentFailed, .keyUnreadable, .keyEncrypted, .keyNotHeld, .keyTypeUnsupported:
                .authenticationRefused
            case .uploadFailed, .execRefused, .limitExceeded: .agentUnusable
            case .unreachable, .connectTimedOut, .connectionRefused, .bannerTimedOut, .handshakeTimedOut,
                .handshakeFailed, .noCommonAlgorithm, .authenticationTimedOut, .execTimedOut, .connectionLost,
                .progressTimedOut, .closed, .cancelled:
                .hostUnreachable
            }
        let remedy =
            switch code {
            case .hostKeyUnknown, .hostKeyChanged:
                ". Once its fingerprint is known to be right, pin it: lockflight inventory trust --scan --replace \(error.host)"
            default: ""
            }
        self.init(code, error.description + remedy)
    }
}

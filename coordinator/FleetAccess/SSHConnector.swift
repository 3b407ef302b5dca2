package import CoordinatorRuntime
import Foundation
import Logging
import OperatorCommands
package import SSHTransport
import Synchronization
package import UpgradeDomain

/// Reaches agents over SSH: checks the pinned host key, logs in, and uploads the agent if it is missing.
package final class SSHConnector: HostConnector {
    private let client: SSHClient
    package var executor: (any TaskExecutor)? { client.executor }
    private let keys: KeyRing
    private let ways: JumpWays
    private let delivery: AgentDelivery
    private let deadlines: SSHDeadlines
    private let logger: Logger
    /// Created for the first host that needs it.
    private let openSSHClient = Mutex<OpenSSHClient?>(nil)

    init(
        client: SSHClient, keys: KeyRing, ways: JumpWays, binaries: AgentBinaries,
        deadlines: SSHDeadlines = SSHDeadlines(), logger: Logger = .silent
    ) {
        self.logger = logger
        self.client = client
        self.keys = keys
        self.ways = ways
        delivery = AgentDelivery(binaries: binaries, startTimeout: deadlines.exec)
        self.deadlines = deadlines
    }

    package func connect(to host: UpgradeDomain.Host) async throws(ContactFailure) -> any AgentChannel {
        let transport = host.transport ?? .libssh2
        logger.about(host.name).debug(
            "logging in",
            metadata: ["address": "\(host.address)", "port": "\(host.port)", "transport": "\(transport.rawValue)"])
        do throws(SSHError) {
            switch transport {
            case .libssh2: return try await agent(on: host, over: try await logIn(to: host))
            case .openssh:
                let target = try await openSSHTarget(host)
                return try await agent(on: host, over: try await openSSH().connect(to: target))
            }
        } catch {
            throw ContactFailure(ssh: error)
        }
    }

    private func agent<Connection: RemoteConnection>(
        on host: UpgradeDomain.Host, over connection: Connection
    ) async throws(SSHError) -> SSHAgentChannel<Connection> {
        logger.about(host.name).debug("starting the agent")
        do throws(SSHError) {
            let started = try await delivery.start(
                on: host.name, in: AgentFolder(host.agentDirectory), over: connection)
            return SSHAgentChannel(connection: connection, command: started.command, heard: started.output)
        } catch {
            await connection.close()
            throw error
        }
    }

    /// The key that a host shows before a login.
    func hostKey(of host: UpgradeDomain.Host) async throws(SSHError) -> SSHHostKey {
        switch host.transport ?? .libssh2 {
        case .libssh2: try await client.hostKey(of: try await target(host, []))
        case .openssh: try await openSSH().hostKey(of: try await openSSHTarget(host))
        }
    }

    private func logIn(to host: UpgradeDomain.Host) async throws(SSHError) -> SSHConnection {
        let choice = try await keys.choice(for: host)
        let target = try await target(host, choice.identities)
        do {
            return try await client.connect(to: target)
        } catch {
            guard error.code == .authenticationRefused, !choice.problems.isEmpty else { throw error }
            let others = choice.problems.map { $0.message + $0.remedy }.joined(separator: ". ")
            throw SSHError(
                code: error.code, host: error.host, message: "\(error.message). Not tried: \(others)",
                cause: error.cause)
        }
    }

    private func target(
        _ host: UpgradeDomain.Host, _ identities: [SSHIdentity]
    ) async throws(SSHError) -> SSHTarget {
        var target = try place(host, identities)
        for jump in try ways.way(to: host) {
            target.jumps.append(try place(jump, try await keys.choice(for: jump).identities))
        }
        return target
    }

    // MARK: Through OpenSSH's client

    private func openSSH() throws(SSHError) -> OpenSSHClient {
        try openSSHClient.withLock { known throws(SSHError) in
            if let known { return known }
            let client = try OpenSSHClient()
            known = client
            return client
        }
    }

    private func openSSHTarget(_ host: UpgradeDomain.Host) async throws(SSHError) -> OpenSSHTarget {
        var target = try await openSSHPlace(host)
        for jump in try ways.way(to: host) { target.jumps.append(try await openSSHPlace(jump)) }
        return target
    }

    private func openSSHPlace(_ host: UpgradeDomain.Host) async throws(SSHError) -> OpenSSHTarget {
        let keys = await keys.files(for: host)
        return OpenSSHTarget(
            place: try place(host, []), alias: host.ssh?.alias, identityFiles: keys.paths,
            agentSocket: keys.agentSocket,
            configFile: host.ssh?.configFile)
    }

    /// Closes the connections that OpenSSH's client keeps in the background.
    func close() async {
        await openSSHClient.withLock({ $0 })?.close()
    }

    // MARK: Places

    /// Values of an older ledger may not be allowed any more, but its runs must still be able to roll back. So only
    /// values that a program could take as an option or a command are rejected here.
    ///
    /// - Throws: `unreachable`; nothing was passed to another program then.
    private func place(_ host: UpgradeDomain.Host, _ identities: [SSHIdentity]) throws(SSHError) -> SSHTarget {
        let alias = host.transport == .openssh ? host.ssh?.alias : nil
        let names: [(String?, String, Bool)] = [
            (host.address, "address", HostAddress.isHarmless(host.address)),
            (alias, "name of ssh_config", alias.map(HostAddress.isHarmless) ?? true),
            (host.user, "account", HostAddress.isHarmless(host.user) || NameGrammar.login.accepts(host.user)),
        ]
        for case (let name?, let kind, false) in names where !name.isEmpty {
            throw SSHError(
                code: .unreachable, host: host.name.rawValue,
                message:
                    "'\(name)' is not a valid \(kind), so no connection to \(host.name) was made; correct it in the inventory, then "
                    + "update a live run with rollout rebind")
        }
        var deadlines = deadlines
        if let seconds = host.silenceSeconds { deadlines.silence = .seconds(seconds) }
        return SSHTarget(
            host: host.name.rawValue, address: host.address, port: host.port, user: host.user,
            hostKeys: host.hostKeys.compactMap(SSHHostKey.init), identities: identities, deadlines: deadlines,
            logger: logger.about(host.name))
    }
}

extension SSHHostKey {
    package init?(_ key: HostKey) {
        guard let blob = Data(base64Encoded: key.base64) else { return nil }
        self.init(blob: [UInt8](blob))
    }
}

/// An agent on an SSH channel.
final class SSHAgentChannel<Connection: RemoteConnection>: AgentChannel {
    private let connection: Connection
    private let command: Connection.Command
    /// The bytes that the agent sent while it was being started.
    private let heard: Mutex<[UInt8]>

    init(connection: Connection, command: Connection.Command, heard: [UInt8]) {
        self.connection = connection
        self.command = command
        self.heard = Mutex(heard)
    }

    func send(_ bytes: [UInt8]) async throws(ContactFailure) {
        do throws(SSHError) { try await command.write(bytes) } catch { throw ContactFailure(ssh: error) }
    }

    func receive() async throws(ContactFailure) -> [UInt8]? {
        let first = heard.withLock { heard in
            defer { heard = [] }
            return heard
        }
        if !first.isEmpty { return first }
        do throws(SSHError) {
            if let bytes = try await command.read(timeout: nil) { return bytes }
        } catch {
            throw ContactFailure(ssh: error)
        }
        let tail = await command.standardErrorTail()
        guard !tail.isEmpty else { return nil }
        throw ContactFailure(.agentUnusable, "the agent ended: \(String(decoding: tail.suffix(200), as: UTF8.self))")
    }

    func close() async {
        command.close()
        await connection.close()
    }
}

extension ContactFailure {
    /// A transport error as a contact failure with a hold code.
    init(ssh error: SSHError) {
        let code: HoldCode =
            switch error.code {
            case .hostKeyUnknown: .hostKeyUnknown
            case .hostKeyChanged: .hostKeyChanged
            case .authenticationRefused, .agentFailed, .keyUnreadable, .keyExposed, .keyEncrypted, .keyNotHeld,
                .keyTypeUnsupported:
                .authenticationRefused
            case .uploadFailed, .execRefused, .limitExceeded: .agentUnusable
            case .unreachable, .resolutionTimedOut, .connectTimedOut, .connectionRefused, .bannerTimedOut,
                .handshakeTimedOut, .handshakeFailed, .handshakeGivenUp, .noCommonAlgorithm, .authenticationTimedOut,
                .execTimedOut, .connectionLost, .progressTimedOut, .uploadTimedOut, .closed, .cancelled:
                .hostUnreachable
            }
        let isKey = code == .hostKeyUnknown || code == .hostKeyChanged
        self.init(
            code, error.description + error.remedy,
            next: isKey ? .replaceKeys(hosts: [HostName(error.failedHost)]) : nil)
    }
}

extension SSHError {
    /// What to do about it, as a sentence; empty if there is nothing.
    fileprivate var remedy: String {
        if code == .hostKeyUnknown || code == .hostKeyChanged {
            return ". Once you have verified the fingerprint of \(failedHost), pin it in the inventory"
        }
        if code == .noCommonAlgorithm || code == .handshakeGivenUp {
            // A host's transport is also used for its jump hosts.
            return ". OpenSSH's own client may reach it: write 'transport: openssh' in the inventory's entry of \(host)"
        }
        if code == .keyTypeUnsupported {
            return """
                . OpenSSH's own client may use it: write 'transport: openssh' in the inventory's entries of the hosts that it is for
                """
        }
        return ""
    }
}

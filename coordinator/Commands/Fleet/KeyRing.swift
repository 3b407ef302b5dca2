import Foundation
import SSHTransport
import SystemPackage
import UpgradeDomain

/// The keys that this process logs in with, each found once.
///
/// What this process cannot read itself is left to OpenSSH: keys with a passphrase, and keys of which only the public half
/// is here, are used through the ssh-agent of `SSH_AUTH_SOCK` where that holds them. For other keys with a passphrase there
/// is an agent of this process alone.
actor KeyRing {
    /// Used for hosts that name no key.
    static let standardFile = "~/.ssh/id_ed25519"

    private let client: SSHClient
    private let userAgent: SSHAgent?
    private var ownAgent: (process: PassphraseAgent, agent: SSHAgent)?
    private var found: [String: SSHIdentity] = [:]
    /// Why a passphrase was not had when it was asked for.
    private var problems: [String: SSHError] = [:]

    init(client: SSHClient, environment: [String: String]) {
        self.client = client
        let socket = environment["SSH_AUTH_SOCK"] ?? ""
        userAgent = socket.isEmpty ? nil : client.agent(at: socket)
    }

    /// The key that a host is logged into with.
    func identity(for host: UpgradeDomain.Host) async throws(SSHError) -> SSHIdentity {
        let path = path(for: host)
        do {
            return try await identity(at: path, asks: false)
        } catch {
            throw problems[path] ?? error
        }
    }

    /// Asks for the passphrases that the keys of hosts need, one after the other.
    ///
    /// To be called before a live view is drawn: later nobody is asked. What is wrong with a key is told when it is needed.
    func unlock(for hosts: [UpgradeDomain.Host]) async {
        for path in Set(hosts.map(path)).sorted() {
            do {
                _ = try await identity(at: path, asks: true)
            } catch {
                problems[path] = error
            }
        }
    }

    /// Ends the agent of this process, and with it every key that it unlocked.
    func close() {
        ownAgent?.process.stop()
        ownAgent = nil
    }

    private func path(for host: UpgradeDomain.Host) -> String {
        ((host.identityFile ?? KeyRing.standardFile) as NSString).expandingTildeInPath
    }

    private func identity(at path: String, asks: Bool) async throws(SSHError) -> SSHIdentity {
        if let known = found[path] { return known }
        let identity = try await find(path, asks: asks)
        found[path] = identity
        return identity
    }

    private func find(_ path: String, asks: Bool) async throws(SSHError) -> SSHIdentity {
        let problem: SSHError
        do {
            return try SSHIdentity.load(path: path)
        } catch {
            problem = error
        }
        guard problem.code == .keyEncrypted || problem.code == .keyNotHeld else { throw problem }
        do throws(SSHError) {
            guard let userAgent else { throw problem }
            return try await SSHIdentity.load(path: path, heldBy: userAgent)
        } catch {
            guard asks, problem.code == .keyEncrypted else { throw error }
        }
        let terminal = try PassphraseAgent.terminal(toAskFor: path)
        defer { try? terminal.close() }
        let own = try runningAgent()
        try await own.process.add(path, askingOn: terminal)
        return try await SSHIdentity.load(path: path, heldBy: own.agent)
    }

    private func runningAgent() throws(SSHError) -> (process: PassphraseAgent, agent: SSHAgent) {
        if let ownAgent { return ownAgent }
        let process = try PassphraseAgent.start()
        let own = (process, client.agent(at: process.socketPath))
        ownAgent = own
        return own
    }
}

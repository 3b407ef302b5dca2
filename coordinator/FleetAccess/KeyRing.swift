import Foundation
import SSHTransport
import SafeText
import SystemPackage
import UpgradeDomain

/// The keys that this process logs in with, each found once.
///
/// OpenSSH handles the keys that this process can not read itself. Keys with a passphrase, and keys of which only the
/// public half is here, are used through the ssh-agent of `SSH_AUTH_SOCK` if it has them. Its other keys are used for
/// hosts that name no key. Other keys with a passphrase are held by a private ssh-agent of this process.
package actor KeyRing {
    /// OpenSSH's standard key files, best first; used, if they exist, for hosts that name no key. Keys of a hardware
    /// token come last, because only OpenSSH's client uses them.
    package static let standardFiles = ["ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk"].map { "~/.ssh/id_\($0)" }

    /// The keys to log into a host with.
    struct Choice {
        /// At least one, best first.
        var identities: [SSHIdentity] = []
        /// Why other keys cannot be used.
        var problems: [SSHError] = []
    }

    private let client: SSHClient
    private let userAgent: SSHAgent?
    private var ownAgent: (process: PassphraseAgent, agent: SSHAgent)?
    private var found: [String: SSHIdentity] = [:]
    /// The keys that `userAgent` listed, or its error; it is asked once, because an agent that hangs takes a long time.
    private var held: Result<[SSHIdentity], SSHError>?
    /// Keys that only the private agent of this process holds.
    private var unlocked: Set<String> = []
    /// Why a passphrase could not be obtained.
    private var problems: [String: SSHError] = [:]

    init(client: SSHClient, environment: [String: String]) {
        self.client = client
        let socket = environment["SSH_AUTH_SOCK"] ?? ""
        userAgent = socket.isEmpty ? nil : client.agent(at: socket)
    }

    /// The keys that a host is logged into with.
    ///
    /// - Throws: why no key can be used.
    func choice(for host: UpgradeDomain.Host) async throws(SSHError) -> Choice {
        var choice = Choice()
        let paths = paths(for: host)
        for path in paths {
            do {
                choice.identities.append(try await identity(at: path, asks: false))
            } catch {
                choice.problems.append(problems[path] ?? error)
            }
        }
        if host.identityFiles.isEmpty {
            do {
                choice.identities += try await heldKeys()
            } catch {
                choice.problems.append(error)
            }
        }
        if choice.identities.isEmpty { throw choice.problems.first ?? noKey(host) }
        choice.problems += paths.compactMap(KeyRing.certificateProblem)
        return choice
    }

    /// Asks for the passphrases of the hosts' keys, one after the other, and lists the keys of the user's agent once.
    ///
    /// Call it before a live view is drawn: nothing is asked later. Problems of a key are reported when it is needed.
    func unlock(for hosts: [UpgradeDomain.Host]) async {
        for path in Set(hosts.flatMap(paths)).sorted() {
            do {
                _ = try await identity(at: path, asks: true)
            } catch {
                if error.code == .keyEncrypted { problems[path] = error }
            }
        }
        if hosts.contains(where: \.identityFiles.isEmpty) { _ = try? await heldKeys() }
    }

    /// The keys that OpenSSH's own client must use, unless ssh_config names them; it finds the user's agent by itself.
    func files(for host: UpgradeDomain.Host) -> (paths: [String], agentSocket: String?) {
        let paths = paths(for: host)
        let findsThemItself = host.identityFile == nil || host.ssh?.identityFiles.isEmpty == false
        return (findsThemItself ? [] : paths, unlocked.isDisjoint(with: paths) ? nil : ownAgent?.process.socketPath)
    }

    /// Stops the private agent of this process; its unlocked keys are gone then.
    func close() {
        ownAgent?.process.stop()
        ownAgent = nil
    }

    /// The named key files; else the standard ones, or their public halves if only these exist.
    private func paths(for host: UpgradeDomain.Host) -> [String] {
        let named = host.identityFiles
        if !named.isEmpty { return named.map { ($0 as NSString).expandingTildeInPath } }
        return KeyRing.standardFiles.compactMap { file in
            let path = (file as NSString).expandingTildeInPath
            return [path, path + ".pub"].first { FileManager.default.fileExists(atPath: $0) }
        }
    }

    /// OpenSSH automatically uses a certificate next to a key.
    private static func certificateProblem(_ path: String) -> SSHError? {
        let certificate = "\(path.rest(before: ".pub") ?? path[...])-cert.pub"
        guard FileManager.default.fileExists(atPath: certificate) else { return nil }
        return SSHError(
            code: .keyTypeUnsupported, host: certificate,
            message: "the certificate \(certificate), because libssh2 does not support certificates")
    }

    private func noKey(_ host: UpgradeDomain.Host) -> SSHError {
        let agent =
            userAgent.map { "the ssh-agent at \($0.socketPath) holds none" } ?? "SSH_AUTH_SOCK names no ssh-agent"
        return SSHError(
            code: .keyUnreadable, host: host.name.rawValue,
            message: """
                there is no key to log into \(host.name) with: neither its inventory entry nor ssh_config names one, none of \
                \(KeyRing.standardFiles.joined(separator: ", ")) is there, and \(agent); make one with: ssh-keygen -t ed25519
                """)
    }

    /// The keys of the user's agent; empty without an agent.
    private func heldKeys() async throws(SSHError) -> [SSHIdentity] {
        guard let userAgent else { return [] }
        if let held { return try held.get() }
        let answer: Result<[SSHIdentity], SSHError>
        do {
            answer = .success(try await SSHIdentity.all(heldBy: userAgent))
        } catch {
            answer = .failure(error)
        }
        held = answer
        return try answer.get()
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
        unlocked.insert(path)
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

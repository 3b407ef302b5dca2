import Foundation
import SSHTransport
import UpgradeDomain

/// The keys that this process logs in with, each found once.
///
/// Keys with a passphrase, and keys of which only the public half is here, are used through the ssh-agent of
/// `SSH_AUTH_SOCK` where that holds them.
actor KeyRing {
    /// Used for hosts that name no key.
    static let standardFile = "~/.ssh/id_ed25519"

    private let userAgent: SSHAgent?
    private var found: [String: SSHIdentity] = [:]

    init(client: SSHClient, environment: [String: String]) {
        let socket = environment["SSH_AUTH_SOCK"] ?? ""
        userAgent = socket.isEmpty ? nil : client.agent(at: socket)
    }

    /// The key that a host is logged into with.
    func identity(for host: UpgradeDomain.Host) async throws(SSHError) -> SSHIdentity {
        let path = ((host.identityFile ?? KeyRing.standardFile) as NSString).expandingTildeInPath
        if let known = found[path] { return known }
        let identity = try await find(path)
        found[path] = identity
        return identity
    }

    private func find(_ path: String) async throws(SSHError) -> SSHIdentity {
        do {
            return try SSHIdentity.load(path: path)
        } catch {
            guard error.code == .keyEncrypted || error.code == .keyNotHeld, let userAgent else { throw error }
            return try await SSHIdentity.load(path: path, heldBy: userAgent)
        }
    }
}

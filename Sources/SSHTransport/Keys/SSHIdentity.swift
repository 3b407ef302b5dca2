import FoundationEssentials
import Glibc
import SafeText

/// A key that this machine logs in with, loaded once for all connections.
///
/// Parsing a key for every connection costs more CPU than the rest of the login. The private key never leaves this
/// process, or the ssh-agent that holds it: libssh2 requests a signature and gets one.
package final class SSHIdentity: Sendable {
    /// Where the private half is.
    enum Signer: Sendable {
        case process(OpenSSHPrivateKey)
        case agent(SSHAgent)
    }

    /// The file of the key, or the description of an ssh-agent if no file was needed; for errors.
    package let path: String
    /// Whether `path` is a file.
    let hasFile: Bool
    /// The public key's raw blob, as in the second column of the `.pub` file.
    package let publicKeyBlob: [UInt8]
    /// The key's algorithm, such as `ssh-ed25519`.
    package let type: String
    /// The key's digest as `ssh-keygen -l` prints it.
    let fingerprint: String
    let signer: Signer

    /// The private half, if this process has it.
    var ownKey: OpenSSHPrivateKey? {
        switch signer {
        case .process(let key): key
        case .agent: nil
        }
    }

    /// The name of its signature algorithm: RSA keys sign with SHA-512 (RFC 8332), all others under their own name.
    var signatureAlgorithm: String { type == "ssh-rsa" ? "rsa-sha2-512" : type }

    private init(path: String, hasFile: Bool = true, publicKey: SSHHostKey, signer: Signer) {
        self.path = path
        self.hasFile = hasFile
        self.publicKeyBlob = publicKey.blob
        self.type = publicKey.type
        self.fingerprint = publicKey.fingerprint
        self.signer = signer
    }

    /// Reads an OpenSSH private key file: ed25519, ECDSA on a NIST curve or RSA from 2048 bits, without a passphrase.
    ///
    /// - Throws: `keyUnreadable`, `keyEncrypted`, `keyNotHeld` or `keyTypeUnsupported`, each with the command that
    ///   helps. After `keyEncrypted`, or `keyNotHeld` (the file is only a public key), an ssh-agent may have the key.
    package static func load(path: String) throws(SSHError) -> SSHIdentity {
        switch try content(of: path) {
        case .privateKey(let key):
            try requireUnexposed(path)
            return SSHIdentity(path: path, publicKey: key.publicKey, signer: .process(key))
        case .encrypted(let key?) where !OpenSSHPrivateKey.types.contains(key.type):
            throw SSHError(keyFault: .unsupported(key.type), path: path)
        case .encrypted: throw SSHError(keyFault: .encrypted(nil), path: path)
        case .publicKey: throw notHeld(path, "no ssh-agent was asked")
        }
    }

    /// A key whose public half is in a file and whose private half is in an agent.
    ///
    /// The file is a public key, or a private key with a passphrase. The passphrase is not needed, because the public
    /// half is readable, except in formats from before 2014, which need the `.pub` file next to them.
    /// - Throws: `keyNotHeld` if the agent does not hold it, `agentFailed` if it does not answer, and the errors of
    ///   `load(path:)` about the file.
    package static func load(path: String, heldBy agent: SSHAgent) async throws(SSHError) -> SSHIdentity {
        let publicKey: SSHHostKey
        switch try content(of: path) {
        case .privateKey(let key): publicKey = key.publicKey
        case .publicKey(let key), .encrypted(let key?): publicKey = key
        case .encrypted(nil):
            guard case .publicKey(let key) = try content(of: path + ".pub") else {
                throw SSHError(keyFault: .malformed("no public key"), path: path + ".pub")
            }
            publicKey = key
        }
        guard OpenSSHPrivateKey.types.contains(publicKey.type) else {
            throw SSHError(keyFault: .unsupported(publicKey.type), path: path)
        }
        guard try await agent.publicKeyBlobs().contains(publicKey.blob) else {
            throw notHeld(path, "the ssh-agent at \(agent.socketPath) does not hold \(publicKey.fingerprint)")
        }
        return SSHIdentity(path: path, publicKey: publicKey, signer: .agent(agent))
    }

    /// The keys that an agent holds and that this process can log in with, in the agent's order.
    ///
    /// - Throws: `agentFailed` if it does not answer.
    package static func all(heldBy agent: SSHAgent) async throws(SSHError) -> [SSHIdentity] {
        try await agent.publicKeyBlobs().compactMap { blob in
            guard let key = SSHHostKey(blob: blob), OpenSSHPrivateKey.types.contains(key.type) else { return nil }
            return SSHIdentity(
                path: "ssh-agent at \(agent.socketPath)", hasFile: false, publicKey: key, signer: .agent(agent))
        }
    }

    /// Like OpenSSH, checks only files of the current user, because root may read other users' files on purpose.
    private static func requireUnexposed(_ path: String) throws(SSHError) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_uid == getuid(), status.st_mode & 0o077 != 0 else { return }
        throw SSHError(keyFault: .exposed(mode: status.st_mode & 0o777), path: path)
    }

    // MARK: Files

    private enum Content {
        case privateKey(OpenSSHPrivateKey)
        case publicKey(SSHHostKey)
        /// With its public half if that is readable.
        case encrypted(SSHHostKey?)
    }

    private static func content(of path: String) throws(SSHError) -> Content {
        let bytes = try readBounded(path)
        if let key = SSHHostKey(openSSH: String(decoding: bytes, as: UTF8.self)) { return .publicKey(key) }
        do {
            return .privateKey(try OpenSSHPrivateKey(file: bytes))
        } catch .encrypted(let publicKey) {
            return .encrypted(publicKey)
        } catch {
            throw SSHError(keyFault: error, path: path)
        }
    }

    private static func readBounded(_ path: String) throws(SSHError) -> [UInt8] {
        do {
            let content = try Data(contentsOf: URL(filePath: path))
            guard content.count <= TransportLimits.keyFileBytes else {
                throw OpenSSHPrivateKey.Fault.malformed("longer than \(TransportLimits.keyFileBytes) bytes")
            }
            return [UInt8](content)
        } catch {
            throw SSHError(
                code: .keyUnreadable, host: path,
                message: """
                    the key file \(path) could not be read, so no host can be logged into with it; check it with: \
                    ls -l -- \(ShellText.word(path))
                    """,
                cause: "\(error)")
        }
    }

    private static func notHeld(_ path: String, _ detail: String) -> SSHError {
        SSHError(
            code: .keyNotHeld, host: path,
            message: """
                the private half of \(path) is not available: \(detail), so no host can be logged into with it; add it \
                to the ssh-agent of SSH_AUTH_SOCK with: \
                ssh-add -- \(ShellText.word(String(path.rest(before: ".pub") ?? path[...])))
                """)
    }
}

extension SSHError {
    init(keyFault: OpenSSHPrivateKey.Fault, path: String) {
        let consequence = "so no host can be logged into with it"
        switch keyFault {
        case .malformed(let detail):
            self.init(
                code: .keyUnreadable, host: path,
                message: """
                    \(path) is not a complete OpenSSH key, \(consequence); check it with: \
                    ssh-keygen -y -f \(ShellText.word(path))
                    """,
                cause: detail)
        case .encrypted:
            self.init(
                code: .keyEncrypted, host: path,
                message: """
                    the private key \(path) is protected by a passphrase, \(consequence); add it to the ssh-agent of \
                    SSH_AUTH_SOCK with: ssh-add -- \(ShellText.word(path))
                    """)
        case .unsupported(let type):
            self.init(
                code: .keyTypeUnsupported, host: path,
                message: """
                    the private key \(path) is of type \(type), which is not supported (ed25519, ECDSA and RSA from 2048 \
                    bits are), \(consequence); make one with: ssh-keygen -t ed25519 -N '' -f \(ShellText.word(path + "-lockflight"))
                    """)
        case .exposed(let mode):
            self.init(
                code: .keyExposed, host: path,
                message: """
                    the private key \(path) can be read by other users (mode \(String(mode, radix: 8))), \
                    \(consequence), as OpenSSH would not use it either; if nobody has copied it, make it \
                    private with: chmod 600 -- \(ShellText.word(path))
                    """)
        case .olderFormat(let label):
            self.init(
                code: .keyTypeUnsupported, host: path,
                message: """
                    the private key \(path) is in the older format "\(label)", \(consequence); convert a copy of it \
                    with: ssh-keygen -p -N '' -f \(ShellText.word(path))
                    """)
        }
    }
}

import FoundationEssentials

/// A private key that this machine logs in with, read and parsed once for all connections.
///
/// Parsing a key for every connection costs more CPU than the rest of the login together. The key's bytes never
/// leave the process: libssh2 asks for a signature and gets one.
public final class SSHIdentity: Sendable {
    /// The key file, for errors.
    public let path: String
    let key: OpenSSHPrivateKey

    private init(path: String, key: OpenSSHPrivateKey) {
        self.path = path
        self.key = key
    }

    /// Reads an OpenSSH private key file: ed25519, ECDSA on a NIST curve or RSA from 2048 bits, without
    /// a passphrase.
    ///
    /// - Throws: `keyUnreadable`, `keyEncrypted` or `keyTypeUnsupported`, each naming the command that helps.
    public static func load(path: String) throws(SSHError) -> SSHIdentity {
        let content: Data
        do {
            content = try readBounded(path)
        } catch {
            throw SSHError(
                code: .keyUnreadable, host: path,
                message: """
                    the private key \(path) could not be read, so no host can be logged into; check it with: \
                    ls -l \(path)
                    """,
                cause: "\(error)")
        }
        do {
            return SSHIdentity(path: path, key: try OpenSSHPrivateKey(file: [UInt8](content)))
        } catch {
            throw SSHError(keyFault: error, path: path)
        }
    }

    private static func readBounded(_ path: String) throws -> Data {
        let content = try Data(contentsOf: URL(filePath: path))
        guard content.count <= TransportLimits.keyFileBytes else { throw OpenSSHPrivateKey.Fault.malformed("too long") }
        return content
    }

    /// The public key's raw blob, as in the second column of the `.pub` file.
    public var publicKeyBlob: [UInt8] { key.publicBlob }
    /// The key's algorithm, such as `ssh-ed25519`.
    public var type: String { key.type }
}

extension SSHError {
    init(keyFault: OpenSSHPrivateKey.Fault, path: String) {
        let consequence = "so no host can be logged into with it"
        switch keyFault {
        case .malformed(let detail):
            self.init(
                code: .keyUnreadable, host: path,
                message: """
                    \(path) is not a whole OpenSSH private key, \(consequence); check it with: ssh-keygen -y -f \(path)
                    """,
                cause: detail)
        case .encrypted:
            self.init(
                code: .keyEncrypted, host: path,
                message: """
                    the private key \(path) is protected by a passphrase, \(consequence); make a key for this tool \
                    with: ssh-keygen -t ed25519 -N '' -f \(path)-lockflight
                    """)
        case .unsupported(let type):
            self.init(
                code: .keyTypeUnsupported, host: path,
                message: """
                    the private key \(path) is of type \(type), which is not supported (ed25519, ECDSA and RSA from 2048 \
                    bits are), \(consequence); make one with: ssh-keygen -t ed25519 -N '' -f \(path)-lockflight
                    """)
        case .olderFormat(let label):
            self.init(
                code: .keyTypeUnsupported, host: path,
                message: """
                    the private key \(path) is in the older format "\(label)", \(consequence); convert a copy of it \
                    with: ssh-keygen -p -N '' -f \(path)
                    """)
        }
    }
}

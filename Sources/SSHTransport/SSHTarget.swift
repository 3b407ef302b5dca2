import FoundationEssentials
package import Logging
import SSHSignatures
import SafeText

/// Where to connect, as which user, and what the host must prove before it learns the user name.
package struct SSHTarget: Sendable {
    /// The host's label in the inventory, used in errors.
    package var host: String
    /// An IP address, or a name that the system resolves.
    package var address: String
    package var port: Int
    package var user: String
    /// The keys that this host may present. If there are none, connecting is refused before a packet is sent.
    package var hostKeys: [SSHHostKey]
    /// The keys to log in with, best first. A key that the host accepted before is tried first; at most three are
    /// tried.
    package var identities: [SSHIdentity]
    /// The jump hosts, in order. Each one is logged into with its own key. Their own `jumps` are not used.
    package var jumps: [SSHTarget]
    package var deadlines: SSHDeadlines
    /// Receives the progress of each connection, at debug level.
    package var logger: Logger

    package init(
        host: String, address: String, port: Int = 22, user: String, hostKeys: [SSHHostKey],
        identities: [SSHIdentity], jumps: [SSHTarget] = [],
        deadlines: SSHDeadlines = SSHDeadlines(),
        logger: Logger = Logger(label: "ssh") { _ in SwiftLogNoOpLogHandler() }
    ) {
        self.host = host
        self.address = address
        self.port = port
        self.user = user
        self.hostKeys = hostKeys
        self.identities = identities
        self.jumps = jumps
        self.deadlines = deadlines
        self.logger = logger
    }
}

extension SSHTarget {
    /// What distinguishes one login from another.
    struct Place: Hashable {
        let address: String
        let port: Int
        let user: String
        let hostKeys: [SSHHostKey]
        let identities: [[UInt8]]
    }

    var place: Place {
        Place(
            address: address, port: port, user: user, hostKeys: hostKeys, identities: identities.map(\.publicKeyBlob))
    }
}

/// How long each phase may take before the attempt is abandoned.
package struct SSHDeadlines: Sendable, Hashable {
    /// Resolving a name. The system's resolver usually waits 5 s for each name server and asks twice.
    package var resolution: Duration
    /// The TCP handshake, or opening a tunnel through a jump host.
    package var connect: Duration
    /// The server's banner and the key exchange. libssh2 itself times out after 60 s.
    package var handshake: Duration
    package var authentication: Duration
    /// How long an ssh-agent may take for a signature, including the requests queued before it.
    package var agent: Duration
    /// Opening a channel and starting a command on it.
    package var exec: Duration
    /// How long sent bytes may stay unacknowledged, or keepalives unanswered, before the connection counts as lost.
    package var silence: Duration

    package init(
        resolution: Duration = .seconds(10), connect: Duration = .seconds(10), handshake: Duration = .seconds(15),
        authentication: Duration = .seconds(15), agent: Duration = .seconds(10), exec: Duration = .seconds(15),
        silence: Duration = .seconds(30)
    ) {
        self.resolution = resolution
        self.connect = connect
        self.handshake = handshake
        self.authentication = authentication
        self.agent = agent
        self.exec = exec
        self.silence = silence
    }
}

/// A pinned public key of a host: the raw blob of RFC 4253 section 6.6, compared byte for byte.
package struct SSHHostKey: Sendable, Hashable {
    package let blob: [UInt8]
    /// The algorithm name inside the blob, such as `ssh-ed25519`.
    package let type: String

    /// Takes the decoded blob of the middle column of a known_hosts line; nil if it names no type.
    package init?(blob: [UInt8]) {
        var reader = SSHWireReader(blob)
        guard let type = reader.text(), !type.isEmpty, !reader.isAtEnd else { return nil }
        self.blob = blob
        self.type = type
    }

    /// Takes `ssh-ed25519 AAAA... comment`, as in a `.pub` file; nil if the two columns do not match.
    package init?(openSSH line: String) {
        let columns = line.fields(separatedBy: " \t\r\n")
        guard columns.count >= 2, let data = Data(base64Encoded: String(columns[1])) else { return nil }
        self.init(blob: [UInt8](data))
        guard type == columns[0] else { return nil }
    }

    /// The key's digest as `ssh-keygen -l` prints it.
    package var fingerprint: String { SSHPublicKey.fingerprint(of: blob) }
}

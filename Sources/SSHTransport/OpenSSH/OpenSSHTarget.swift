/// Where OpenSSH's own client should connect, and which parts of the user's configuration it uses.
package struct OpenSSHTarget: Sendable, Hashable {
    /// The label, the address, the pinned keys and the deadlines. Its `identities` and `jumps` are not used.
    package var place: SSHTarget
    /// The destination argument for `ssh`, so that the entries of ssh_config match; nil for the target's address.
    package var alias: String?
    /// Private keys to use instead of those that ssh_config names. FIDO keys and keys with certificates work too.
    package var identityFiles: [String]
    /// The socket of an ssh-agent to use instead of the one that ssh_config or `SSH_AUTH_SOCK` names.
    package var agentSocket: String?
    /// The ssh_config to read; `none` for none, nil for OpenSSH's default.
    package var configFile: String?
    /// The jump hosts, in order.
    package var jumps: [OpenSSHTarget]

    package init(
        place: SSHTarget, alias: String? = nil, identityFiles: [String] = [], agentSocket: String? = nil,
        configFile: String? = nil, jumps: [OpenSSHTarget] = []
    ) {
        self.place = place
        self.alias = alias
        self.identityFiles = identityFiles
        self.agentSocket = agentSocket
        self.configFile = configFile
        self.jumps = jumps
    }

    package static func == (one: OpenSSHTarget, other: OpenSSHTarget) -> Bool { one.key == other.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(key) }

    private var key: [String] {
        [place.host, place.address, "\(place.port)", place.user, alias ?? "", configFile ?? "", agentSocket ?? ""]
            + identityFiles + ["|"] + jumps.flatMap(\.key)
    }
}

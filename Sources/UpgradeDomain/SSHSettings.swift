/// What ssh_config(5) said about a host when its inventory was imported, besides its address, port and user.
package struct SSHSettings: Codable, Hashable, Sendable {
    /// The name that the inventory file uses as the address; nil if it gives the address itself.
    package var alias: String?
    /// The ssh_config that was read; `none` if none was read; nil means OpenSSH's default files.
    package var configFile: String?
    /// Private keys, in the order they are tried. Empty if ssh_config names only standard ones, or if the inventory
    /// names one.
    package var identityFiles: [String]
    /// The name under which known_hosts files list the host's keys; nil means its address and port.
    package var hostKeyAlias: String?
    /// The jump route from ssh_config, if the inventory does not set one.
    package var proxyJump: String?
    /// Options that ssh_config sets but Lockflight does not follow, by their names in ssh_config(5).
    package var notHonoured: [String]

    package init(
        alias: String? = nil, configFile: String? = nil, identityFiles: [String] = [], hostKeyAlias: String? = nil,
        proxyJump: String? = nil, notHonoured: [String] = []
    ) {
        self.alias = alias
        self.configFile = configFile
        self.identityFiles = identityFiles
        self.hostKeyAlias = hostKeyAlias
        self.proxyJump = proxyJump
        self.notHonoured = notHonoured
    }
}

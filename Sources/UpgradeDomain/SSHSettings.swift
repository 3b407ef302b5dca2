/// What ssh_config(5) said of a host when its inventory was imported, beyond its address, port and user.
package struct SSHSettings: Codable, Hashable, Sendable {
    /// What the inventory file calls the address; nil where that is the address itself.
    package var alias: String?
    /// The ssh_config that was read, `none` for none; nil means OpenSSH's own files.
    package var configFile: String?
    /// Private keys, in the order in which they are tried; empty where ssh_config names none that is not standard, or the
    /// inventory names one.
    package var identityFiles: [String]
    /// The name under which known_hosts files list the host's keys; nil means its address and port.
    package var hostKeyAlias: String?
    /// The way as ssh_config says it, where the inventory leaves it open.
    package var proxyJump: String?
    /// Options that ssh_config sets and that are not followed, by their names in ssh_config(5).
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

/// The fleet as the operator declared it: layers in order, hosts in file order.
package struct FleetInventory: Codable, Hashable, Sendable {
    /// The maximum number of jump hosts in front of a host.
    package static let jumpDepth = 4

    package var layers: [InventoryLayer]
    package var hosts: [Host]

    package init(layers: [InventoryLayer], hosts: [Host]) {
        self.layers = layers
        self.hosts = hosts
    }

    /// The hosts of a layer, in inventory order.
    package func hosts(in layer: LayerName) -> [Host] {
        hosts.filter { host in host.placements.contains { $0.layer == layer } }
    }
}

/// A dependency tier and its owners.
package struct InventoryLayer: Codable, Hashable, Sendable {
    package var name: LayerName
    /// Who may approve a plan that changes this layer; never empty.
    package var owners: [Owner]

    package init(name: LayerName, owners: [Owner]) {
        self.name = name
        self.owners = owners
    }
}

/// One machine that Lockflight reaches over SSH.
package struct Host: Codable, Hashable, Sendable {
    package var name: HostName
    /// An IP address or a DNS name.
    package var address: String
    package var port: Int
    package var user: String
    /// The host to jump through. It is reached first and has its own pinned key.
    package var jump: HostName?
    /// Path of the private key on the coordinator's machine; nil means the coordinator's default.
    package var identityFile: String?
    /// The SSH implementation that carries the connection; nil means libssh2.
    package var transport: HostTransport?
    /// What ssh_config says beyond the fields above; those fields hold the values in use. Nil means nothing.
    package var ssh: SSHSettings?
    /// How long its connection may stay silent, keepalives included, before it counts as lost; nil means 30 s.
    package var silenceSeconds: Int?
    package var labels: [String: String]
    /// Absolute path of the deployment checkout on the host; commands run there. Empty if each placement has its own.
    package var workingDirectory: String
    /// Absolute path of the folder on the host where agents are kept; nil means `.local/lib/lockflight` in the login
    /// account's home.
    package var agentDirectory: String?
    /// Values for `${var.NAME}` in the plan's commands and URLs.
    package var variables: [String: String]
    /// The layers that the host belongs to.
    package var placements: [HostPlacement]
    /// The pinned SSH host keys; empty until `inventory trust`.
    package var hostKeys: [HostKey]

    package init(
        name: HostName, address: String, port: Int = 22, user: String, jump: HostName? = nil,
        identityFile: String? = nil, transport: HostTransport? = nil, ssh: SSHSettings? = nil,
        silenceSeconds: Int? = nil, labels: [String: String] = [:], workingDirectory: String,
        agentDirectory: String? = nil, variables: [String: String] = [:], placements: [HostPlacement],
        hostKeys: [HostKey] = []
    ) {
        self.name = name
        self.address = address
        self.port = port
        self.user = user
        self.jump = jump
        self.identityFile = identityFile
        self.transport = transport
        self.ssh = ssh
        self.silenceSeconds = silenceSeconds
        self.labels = labels
        self.workingDirectory = workingDirectory
        self.agentDirectory = agentDirectory
        self.variables = variables
        self.placements = placements
        self.hostKeys = hostKeys
    }

    /// The private keys to log in with, in the order they are tried; empty means the coordinator's default.
    package var identityFiles: [String] {
        if let files = ssh?.identityFiles, !files.isEmpty { return files }
        return identityFile.map { [$0] } ?? []
    }

    /// Whether both hosts have the same address and port, however the addresses are spelled.
    package func isAtPlace(of other: Host) -> Bool {
        guard port == other.port else { return false }
        return address.isSpelled(other.address)
            || (HostAddress(address) != nil && HostAddress(address) == HostAddress(other.address))
    }

    /// Its membership in a layer; nil if it does not belong to it.
    package func placement(in layer: LayerName) -> HostPlacement? { placements.first { $0.layer == layer } }

    /// Base URL of the host's platform API for a layer, as seen from the host itself.
    package func baseURL(in layer: LayerName) -> String? { placement(in: layer)?.baseURL }

    /// Where the commands of a layer run.
    package func workingDirectory(in layer: LayerName) -> String {
        placement(in: layer)?.workingDirectory ?? workingDirectory
    }

    /// The values of `${var.NAME}` for a layer: its own before those of the host.
    package func variables(in layer: LayerName) -> [String: String] {
        variables.merging(placement(in: layer)?.variables ?? [:]) { _, own in own }
    }
}

/// The SSH implementation for a host.
package enum HostTransport: String, Codable, Hashable, Sendable, CaseIterable {
    case libssh2
    /// OpenSSH's own client, for servers and keys that libssh2 does not support; slower.
    case openssh
}

/// A host's membership in one layer, and what that layer's stack has of its own there.
package struct HostPlacement: Codable, Hashable, Sendable {
    package var layer: LayerName
    /// Scheme, host and port of the platform API as the host itself reaches it, without a trailing slash; nil if nothing is
    /// asked over HTTP.
    package var baseURL: String?
    /// Absolute path of the layer's deployment checkout; nil means the host's.
    package var workingDirectory: String?
    /// Variables that the layer has besides those of the host, or instead of them; nil means none.
    package var variables: [String: String]?

    package init(
        layer: LayerName, baseURL: String? = nil, workingDirectory: String? = nil, variables: [String: String]? = nil
    ) {
        self.layer = layer
        self.baseURL = baseURL
        self.workingDirectory = workingDirectory
        self.variables = variables
    }
}

/// A pinned SSH public host key.
package struct HostKey: Codable, Hashable, Sendable {
    /// The key type, such as `ssh-ed25519`.
    package var type: String
    /// The key blob in base64, as in a known_hosts line.
    package var base64: String

    package init(type: String, base64: String) {
        self.type = type
        self.base64 = base64
    }
}

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

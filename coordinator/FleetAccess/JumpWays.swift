import SSHTransport
import UpgradeDomain

/// Which jump hosts lead to which hosts of an inventory.
struct JumpWays: Sendable {
    private let hosts: [HostName: UpgradeDomain.Host]

    init(among hosts: [UpgradeDomain.Host]) {
        self.hosts = Dictionary(hosts.map { ($0.name, $0) }) { first, _ in first }
    }

    /// The jump hosts in the order in which they are passed.
    ///
    /// - Throws: `unreachable` if one of them was removed from the inventory since a run stored the host.
    func way(to host: UpgradeDomain.Host) throws(SSHError) -> [UpgradeDomain.Host] {
        var way: [UpgradeDomain.Host] = []
        var next = host.jump
        while let name = next {
            guard let jump = hosts[name], way.count < FleetInventory.jumpDepth else {
                throw SSHError(
                    code: .unreachable, host: host.name.rawValue,
                    message: """
                        \(host.name) is behind \(name), which the inventory no longer has, so no connection was made; import one \
                        that has both
                        """)
            }
            way.insert(jump, at: 0)
            next = jump.jump
        }
        return way
    }
}

import Glibc
import OperatorCommands
import SafeText
import UpgradeDomain

/// Whether this process may hold a connection to every host at once, known before the first one fails.
struct DescriptorLimit {
    /// What a process needs besides its connections: the ledger, the terminal, event loops, a few children.
    static let reserved = 64
    /// A socket; or the three pipes of a child of OpenSSH's client, and what starting it takes.
    private static func needed(by host: Host) -> Int {
        switch host.transport ?? .libssh2 {
        case .libssh2: 1
        case .openssh: 6
        }
    }

    /// Raises the soft limit to the hard one, which any process may.
    ///
    /// - Throws: when even that is too low for connections to all these hosts.
    static func provide(for hosts: [Host]) throws {
        let count = hosts.reduce(reserved) { $0 + needed(by: $1) }
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < count else {
            return
        }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(count))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur < count else { return }
        throw FleetAccessError(
            "connections to \(counted(hosts.count, "host")) need \(count) descriptors, and this process may have \(limit.rlim_cur)",
            consequence: "No host was connected to. Root raises the limit, or LimitNOFILE= of the unit.",
            next: .program(words: ["ulimit", "-n", "\(count)"]), isRefusal: true)
    }
}

import Glibc
import OperatorCommands
import SafeText
import UpgradeDomain

/// Checks that this process may have a connection to every host at once, before the first one fails.
struct DescriptorLimit {
    /// Descriptors besides the connections: the ledger, the terminal, event loops, a few child processes.
    static let reserved = 64
    /// One socket; or, for OpenSSH's client, three pipes and the descriptors that starting it takes.
    private static func needed(by host: Host) -> Int {
        switch host.transport ?? .libssh2 {
        case .libssh2: 1
        case .openssh: 6
        }
    }

    /// Raises the soft limit up to the hard limit.
    ///
    /// - Throws: if even the hard limit is too low for connections to all these hosts.
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
            "connections to \(counted(hosts.count, "host")) need \(count) file descriptors; the limit of this process is \(limit.rlim_cur)",
            consequence: "No connection was made. Raise the limit as root, or with LimitNOFILE= in the systemd unit.",
            next: .program(words: ["ulimit", "-n", "\(count)"]), isRefusal: true)
    }
}

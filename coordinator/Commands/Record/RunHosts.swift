import UpgradeDomain

/// The hosts of a run as far as its events can be read: where they are reached, and which agents it met there.
struct RunHosts {
    var hosts: [HostName: UpgradeDomain.Host] = [:]
    var identities: [HostName: AgentIdentity] = [:]

    init(_ events: [RunEvent]) {
        for event in events {
            switch event {
            case .runStarted(let definition): for host in definition.hosts { hosts[host.name] = host }
            case .preflightRecorded(let record): identities[record.host] = record.agent
            case .requested(let request):
                guard case .rebind(let host, let address, let port, let keys) = request.action else { continue }
                hosts[host]?.address = address
                hosts[host]?.port = port
                hosts[host]?.hostKeys = keys
            default: continue
            }
        }
    }
}

package import UpgradeDomain

/// The hosts of a run as far as its events can be read: where they are reached, and which agents it met there.
package struct RunHosts: Sendable {
    package private(set) var hosts: [HostName: Host] = [:]
    package private(set) var identities: [HostName: AgentIdentity] = [:]

    /// - Parameter events: what can be read of a run, in order; where all of it can, ``RolloutState`` says more.
    package init(_ events: [RunEvent]) {
        for event in events {
            switch event {
            case .runStarted(let definition): for host in definition.hosts { hosts[host.name] = host }
            case .preflightRecorded(let record): identities[record.host] = record.agent
            case .requested(let request):
                guard case .rebind(let host, let address, let port, let keys) = request.action else { continue }
                hosts[host]?.address = address
                hosts[host]?.port = port
                hosts[host]?.hostKeys = keys
            case .driverAttached, .driverDetached, .captured, .operationIntended, .operationWithdrawn,
                .operationStarted,
                .operationUncertain, .operationEnded, .operationConfirmed, .operationReverted, .operationTombstoned,
                .placementSoaked, .deadlinePassed, .watchInterrupted, .hostLost, .evidencePruned:
                continue
            }
        }
    }
}

package import UpgradeDomain

/// The hosts of a run, from those of its events that can be read: their addresses, and which agents the run met there.
package struct RunHosts: Sendable {
    package private(set) var hosts: [HostName: Host] = [:]
    package private(set) var identities: [HostName: AgentIdentity] = [:]

    /// - Parameter events: the readable events of a run, in order. If all are readable, ``RolloutState`` has more
    ///   details.
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
                .placementSoaked, .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited, .evidencePruned:
                continue
            }
        }
    }
}

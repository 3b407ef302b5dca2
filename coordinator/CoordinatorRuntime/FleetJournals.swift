package import AgentProtocol
package import UpgradeDomain

/// Reads the journals of hosts, without claiming or changing them.
package struct FleetJournals: Sendable {
    private let reader: FleetReader

    package init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// What one host remembers.
    package struct Memory: Sendable {
        package var host: HostName
        package var owner: LedgerID?
        package var highestEpoch: Epoch
        /// The newest first; limited to what the agent sends in one answer.
        package var entries: [JournalEntry]
        /// The newest head that came with a capture, for each of the last runs.
        package var heads: [RunHead]
    }

    /// One answer per host, in the order given.
    package func memories(of hosts: [Host]) async -> [Result<Memory, ContactFailure>] {
        await reader.results(of: hosts) { host throws(ContactFailure) in try await memory(of: host) }
    }

    private func memory(of host: Host) async throws(ContactFailure) -> Memory {
        try await reader.read(host) { session, hello throws(ContactFailure) in
            let reply = try await session.single(.journal, timeout: HostWork.requestTimeout)
            guard case .journal(let journal) = reply else { throw unexpected(reply, to: "journal") }
            return Memory(
                host: host.name, owner: hello.owner, highestEpoch: hello.highestEpoch, entries: journal.entries,
                heads: journal.heads ?? [])
        }
    }
}

public import AgentProtocol
public import UpgradeDomain

/// Reads the journals of hosts, without claiming or changing them.
public struct FleetJournals: Sendable {
    private let reader: FleetReader

    public init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// What one host remembers.
    public struct Memory: Sendable {
        public var host: HostName
        public var owner: LedgerID?
        public var highestEpoch: Epoch
        /// The newest first; at most what the agent gives in one answer.
        public var entries: [JournalEntry]
        /// The newest head of each of the last runs that came with a capture.
        public var heads: [RunHead]
    }

    /// One answer per host, in the order given.
    public func memories(of hosts: [Host]) async -> [Result<Memory, ContactFailure>] {
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

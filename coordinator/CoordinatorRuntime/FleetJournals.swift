public import AgentProtocol
public import UpgradeDomain

/// Reads the journals of hosts, without claiming or changing them.
public struct FleetJournals: Sendable {
    static let hostsAtOnce = 32

    let connector: any HostConnector
    let ledger: LedgerID
    let clock: RuntimeClock

    public init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        self.connector = connector
        self.ledger = ledger
        self.clock = clock
    }

    /// What one host remembers.
    public struct Memory: Sendable {
        public var host: HostName
        public var owner: LedgerID?
        public var highestEpoch: UInt64
        /// The newest first; at most what the agent gives in one answer.
        public var entries: [JournalEntry]
    }

    /// One answer per host, in the order given.
    public func memories(of hosts: [Host]) async -> [Result<Memory, ContactFailure>] {
        await withTaskGroup(of: (Int, Result<Memory, ContactFailure>).self) { group in
            var answers: [Int: Result<Memory, ContactFailure>] = [:]
            for (index, host) in hosts.enumerated() {
                if index >= FleetJournals.hostsAtOnce, let (done, answer) = await group.next() {
                    answers[done] = answer
                }
                group.addTask { (index, await self.memory(of: host)) }
            }
            for await (done, answer) in group { answers[done] = answer }
            return hosts.indices.compactMap { answers[$0] }
        }
    }

    private func memory(of host: Host) async -> Result<Memory, ContactFailure> {
        do throws(ContactFailure) {
            let session = AgentSession(channel: try await connector.connect(to: host), clock: clock)
            do throws(ContactFailure) {
                let hello = try await session.open(
                    HelloRequest(ledger: ledger, epoch: nil), timeout: HostLinks.helloTimeout)
                let reply = try await session.single(.journal, timeout: HostWork.requestTimeout)
                guard case .journal(let journal) = reply else { throw unexpected(reply, to: "journal") }
                await session.close()
                return .success(
                    Memory(
                        host: host.name, owner: hello.owner, highestEpoch: hello.highestEpoch, entries: journal.entries)
                )
            } catch {
                await session.close()
                throw error
            }
        } catch {
            return .failure(error)
        }
    }
}

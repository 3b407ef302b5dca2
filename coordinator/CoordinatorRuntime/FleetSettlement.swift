public import AgentProtocol
public import UpgradeDomain

/// Asks hosts what became of the operations of one run whose record can not be followed. Nothing of that run can begin on a host
/// that was asked: the epoch deposes whoever drove it.
public struct FleetSettlement: Sendable {
    private let reader: FleetReader
    private let run: RunID

    public init(of run: RunID, connector: any HostConnector, ledger: LedgerID, epoch: Epoch, clock: RuntimeClock) {
        self.run = run
        reader = FleetReader(connector: connector, ledger: ledger, epoch: epoch, clock: clock)
    }

    /// What one host's journal has of the run.
    public struct Findings: Sendable {
        public var entries: [JournalEntry]
        public var running: [OperationID] {
            entries.filter { $0.state == .running }.map(\.operation)
        }
    }

    /// One answer per host, in the order given.
    public func findings(on hosts: [Host]) async -> [Result<Findings, ContactFailure>] {
        await reader.answers(of: hosts) { host in
            do throws(ContactFailure) {
                return .success(try await findings(on: host))
            } catch {
                return .failure(error)
            }
        }
    }

    private func findings(on host: Host) async throws(ContactFailure) -> Findings {
        try await reader.read(host) { session, _ throws(ContactFailure) in
            let reply = try await session.single(.journal, timeout: HostWork.requestTimeout)
            guard case .journal(let journal) = reply else { throw unexpected(reply, to: "journal") }
            var entries = journal.entries.filter { $0.operation.belongs(to: run) }
            for index in entries.indices where entries[index].state == .running {
                // Also finds out that whoever looked after it is gone.
                entries[index].state = try await settled(entries[index].operation, session)
            }
            return Findings(entries: entries)
        }
    }

    private func settled(
        _ operation: OperationID, _ session: AgentSession
    ) async throws(ContactFailure) -> JournalEntry.State {
        let request = AgentRequest.settle(SettleRequest(operation: operation))
        let reply = try await session.single(request, timeout: HostWork.requestTimeout)
        switch reply {
        case .ended(let record): return .ended(record.outcome)
        case .tombstoned: return .tombstoned
        case .running: return .running
        case .hello, .preflight, .surface, .captured, .started, .output, .confirmed, .journal, .refused:
            throw unexpected(reply, to: "settle")
        }
    }
}

package import AgentProtocol
package import UpgradeDomain

/// Asks hosts for the outcome of the operations of a run whose record can not be read. No operation of that run can
/// start on a host that was asked, because the new lease deposes the run's driver. A change that waits for a
/// confirmation is confirmed, because its host was reached.
package struct FleetSettlement: Sendable {
    private let reader: FleetReader
    private let hello: DrivingHello
    private let run: RunID
    private let identities: [HostName: AgentIdentity]

    /// - Parameter identities: the agents that the run met. If the record does not have one, the machine must at least
    ///   have been driven by this ledger: a new machine under the old name does not know the operations of the old one.
    package init(
        of run: RunID, connector: any HostConnector, ledger: LedgerID, hello: DrivingHello,
        identities: [HostName: AgentIdentity], clock: RuntimeClock
    ) {
        self.run = run
        self.hello = hello
        self.identities = identities
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// The entries of the run in one host's journal.
    package struct Findings: Sendable {
        package var entries: [JournalEntry]
        package var running: [OperationID] { entries.filter { $0.state == .running }.map(\.operation) }
        /// Whether no operation of the run is in progress there; no new one can start.
        package var isSettled: Bool { running.isEmpty }
    }

    /// One answer per host, in the order given.
    package func findings(on hosts: [Host]) async -> [Result<Findings, ContactFailure>] {
        await reader.results(of: hosts) { host throws(ContactFailure) in try await findings(on: host) }
    }

    private func findings(on host: Host) async throws(ContactFailure) -> Findings {
        try await reader.read(host) { session, seen throws(ContactFailure) in
            try requireSameMachine(seen, host.name)
            _ = try await hello.claim(session, seen: seen, on: host.name)
            let reply = try await session.single(.journal, timeout: HostWork.requestTimeout)
            guard case .journal(let journal) = reply else { throw unexpected(reply, to: "journal") }
            var entries = journal.entries.filter { $0.operation.belongs(to: run) }
            for entry in entries {
                guard case .ended = entry.state, let revert = try await revert(of: entry.operation, session),
                    !entries.contains(where: { $0.operation == revert })
                else { continue }
                // It started after the journal was read.
                entries.append(JournalEntry(operation: revert, state: .running, planDigest: nil, chainHead: nil))
            }
            return Findings(entries: entries)
        }
    }

    private func requireSameMachine(_ seen: HelloReply, _ host: HostName) throws(ContactFailure) {
        if let known = identities[host] {
            guard seen.identity != known else { return }
            throw ContactFailure(.machineChanged, "the machine that answers is not the one that the run met")
        }
        guard seen.owner != reader.ledger else { return }
        throw ContactFailure(.machineChanged, "this ledger has never driven the machine that answers")
    }

    /// The automatic rollback that a host has started, finished or not; nil if it keeps its change.
    private func revert(
        of operation: OperationID, _ session: AgentSession
    ) async throws(ContactFailure) -> OperationID? {
        let request = AgentRequest.confirm(ConfirmRequest(operation: operation))
        let reply = try await session.single(request, timeout: HostWork.requestTimeout)
        switch reply {
        case .confirmed, .tombstoned, .ended: return nil
        case .running(let revert): return revert
        case .hello, .preflight, .carried, .surface, .captured, .started, .output, .journal, .refused:
            throw unexpected(reply, to: "confirm")
        }
    }
}

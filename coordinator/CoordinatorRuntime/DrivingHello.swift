import AgentProtocol
import OperatorCommands
package import UpgradeDomain

/// How a coordinator starts to drive a host: it first asks who drove the host last, and continues only if that was its
/// own ledger.
package struct DrivingHello: Sendable {
    private let ledger: LedgerID
    private let fence: Fence
    private let record: any FenceRecord

    package init(ledger: LedgerID, fence: Fence, record: any FenceRecord) {
        self.ledger = ledger
        self.fence = fence
        self.record = record
    }

    /// Opens a session that drives.
    ///
    /// - Throws: `hostOwnedElsewhere` if another ledger drives the host, `ledgerCopied` if a copy of this one does.
    func open(_ session: AgentSession, on host: HostName) async throws(ContactFailure) -> HelloReply {
        let seen = try await session.open(
            HelloRequest(ledger: ledger, epoch: nil), timeout: HostLinks.helloTimeout)
        return try await claim(session, seen: seen, on: host)
    }

    /// Claims the host after a hello that only read.
    func claim(
        _ session: AgentSession, seen: HelloReply, on host: HostName
    ) async throws(ContactFailure) -> HelloReply {
        try await requireOurs(seen, on: host)
        return try await session.greet(
            HelloRequest(ledger: ledger, epoch: fence.epoch, token: fence.token), timeout: HostLinks.helloTimeout)
    }

    private func requireOurs(_ seen: HelloReply, on host: HostName) async throws(ContactFailure) {
        guard let owner = seen.owner else { return }
        guard owner == ledger else {
            throw ContactFailure(
                .hostOwnedElsewhere,
                "the ledger \(owner) drives \(host), and this is \(ledger); nothing was changed there. If that ledger is retired, "
                    + "adopt the host", next: .adopt(host: host, owner: nil))
        }
        let isOurs: Bool
        do {
            isOurs = seen.isDriven(by: try await record.origin(of: seen.highestEpoch))
        } catch {
            throw ContactFailure(
                .hostUnreachable, "the host's last epoch could not be looked up in the ledger: \(error)")
        }
        guard isOurs else {
            throw ContactFailure(
                .ledgerCopied,
                "\(host) was last driven with epoch \(seen.highestEpoch), by a lease that this ledger did not issue: another copy "
                    + "of the ledger is in use; nothing was changed there. Find it, and continue with the newer of the two. To "
                    + "continue with this one, adopt the host", next: .adopt(host: host, owner: nil))
        }
    }
}

extension HelloReply {
    /// Whether the ledger knows the lease that drove the host last.
    func isDriven(by origin: EpochOrigin) -> Bool {
        switch origin {
        // An agent of protocol 1 reports no token, so only the epoch is compared.
        case .given(let token): protocolVersion < 2 || token == self.token
        case .beforeRestore: true
        case .unknown: false
        }
    }
}

import AgentProtocol
import UpgradeDomain

/// Which ledger owns the host, and the highest epoch that has driven it. Kept durably; an epoch never falls.
package struct HostFence: Codable, Hashable, Sendable {
    var owner: LedgerID?
    package var highestEpoch: UInt64

    static let unowned = HostFence(owner: nil, highestEpoch: 0)

    /// The fence after a hello that asks to drive.
    ///
    /// - Throws: `ownedElsewhere` unless the hello takes the host over, `staleEpoch` when a newer coordinator of the
    ///   same ledger has been here. Epochs belong to a ledger: a new owner starts at its own.
    func admitting(ledger: LedgerID, epoch: UInt64, takeOver: Bool) throws(Refusal) -> HostFence {
        guard let owner, owner != ledger else {
            guard epoch >= highestEpoch else { throw staleEpoch(epoch) }
            return HostFence(owner: ledger, highestEpoch: epoch)
        }
        guard takeOver else { throw ownedElsewhere(by: owner) }
        return HostFence(owner: ledger, highestEpoch: epoch)
    }

    /// Checks, right before a change, that a session still is the newest that drives the host.
    func check(ledger: LedgerID, epoch: UInt64) throws(Refusal) {
        if let owner, owner != ledger { throw ownedElsewhere(by: owner) }
        guard owner == ledger, epoch == highestEpoch else { throw staleEpoch(epoch) }
    }

    private func ownedElsewhere(by owner: LedgerID) -> Refusal {
        Refusal(
            .ownedElsewhere,
            "ledger \(owner) owns this host; nothing was changed; take the host over only if that ledger is retired")
    }

    private func staleEpoch(_ epoch: UInt64) -> Refusal {
        Refusal(
            .staleEpoch,
            "epoch \(epoch) is not the newest (\(highestEpoch)) that has driven this host; a newer coordinator took over"
        )
    }
}

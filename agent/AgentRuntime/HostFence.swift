import AgentProtocol
package import UpgradeDomain

/// Which ledger owns the host, and the highest epoch that has driven it. Kept durably; an epoch never falls.
package struct HostFence: Codable, Hashable, Sendable {
    var owner: LedgerID?
    package var highestEpoch: Epoch

    static let unowned = HostFence(owner: nil, highestEpoch: 0)

    /// The fence after a hello that asks to drive.
    ///
    /// - Throws: `ownedElsewhere` unless the hello takes the host over, `staleEpoch` when a newer coordinator of the
    ///   same ledger has been here, `limitExceeded` for one so high that no other could ever follow. Epochs belong to a
    ///   ledger: a new owner starts at its own.
    func admitting(ledger: LedgerID, epoch: Epoch, takeOver: Bool) throws(Refusal) -> HostFence {
        let seen: Epoch
        if let owner, owner != ledger {
            guard takeOver else { throw ownedElsewhere(by: owner) }
            seen = 0
        } else {
            seen = highestEpoch
        }
        guard epoch >= seen else { throw staleEpoch(epoch) }
        guard seen.admits(epoch) else {
            throw Refusal(
                .limitExceeded,
                "epoch \(epoch) is more than \(Epoch.largestRise) above \(seen), the newest that has driven this host; "
                    + "nothing was changed; no ledger counts that far")
        }
        return HostFence(owner: ledger, highestEpoch: epoch)
    }

    /// Checks, right before a change, that a session still is the newest that drives the host.
    func check(ledger: LedgerID, epoch: Epoch) throws(Refusal) {
        if let owner, owner != ledger { throw ownedElsewhere(by: owner) }
        guard owner == ledger, epoch == highestEpoch else { throw staleEpoch(epoch) }
    }

    private func ownedElsewhere(by owner: LedgerID) -> Refusal {
        Refusal(
            .ownedElsewhere,
            "ledger \(owner) owns this host; nothing was changed; take the host over only if that ledger is retired")
    }

    private func staleEpoch(_ epoch: Epoch) -> Refusal {
        Refusal(
            .staleEpoch,
            "epoch \(epoch) is not the newest (\(highestEpoch)) that has driven this host; a newer coordinator took over"
        )
    }
}

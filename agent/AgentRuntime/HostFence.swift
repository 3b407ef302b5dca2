import AgentProtocol
package import UpgradeDomain

/// Which ledger owns the host, and the highest epoch that has driven it. Stored durably; an epoch never decreases.
package struct HostFence: Codable, Hashable, Sendable {
    var owner: LedgerID?
    package var highestEpoch: Epoch
    /// The token of the lease with that epoch. A copy of the ledger may issue the same epoch, but with another token.
    var token: LeaseToken?

    static let unowned = HostFence(owner: nil, highestEpoch: 0)

    /// The fence after a hello that asks to drive.
    ///
    /// - Throws: `ownedElsewhere` unless the hello takes the host over; `staleEpoch` if a newer coordinator of the same
    ///   ledger, or one of a copy of it, has driven the host; `limitExceeded` for an epoch so high that no other could
    ///   ever follow. A takeover starts at an epoch of its own ledger.
    func admitting(
        ledger: LedgerID, epoch: Epoch, token: LeaseToken?, takeOver: Bool
    ) throws(Refusal) -> HostFence {
        if let owner, owner != ledger, !takeOver { throw ownedElsewhere(by: owner) }
        let seen = takeOver ? 0 : highestEpoch
        guard epoch >= seen else { throw staleEpoch(epoch) }
        guard takeOver || epoch > seen || token == self.token else { throw copied(epoch) }
        guard seen.admits(epoch) else {
            throw Refusal(
                .limitExceeded,
                "epoch \(epoch) is more than \(Epoch.largestRise) above \(seen), the newest that has driven this host; "
                    + "nothing was changed; no ledger counts that far")
        }
        return HostFence(owner: ledger, highestEpoch: epoch, token: token)
    }

    /// Checks, right before a change, that a session is still the newest one that drives the host.
    func check(_ driver: Session.Driver) throws(Refusal) {
        if let owner, owner != driver.ledger { throw ownedElsewhere(by: owner) }
        guard owner == driver.ledger, driver.epoch == highestEpoch else { throw staleEpoch(driver.epoch) }
        guard driver.token == token else { throw copied(driver.epoch) }
    }

    private func ownedElsewhere(by owner: LedgerID) -> Refusal {
        Refusal(
            .ownedElsewhere,
            "ledger \(owner) owns this host; nothing was changed; take the host over only if that ledger is retired")
    }

    private func copied(_ epoch: Epoch) -> Refusal {
        Refusal(
            .staleEpoch,
            "epoch \(epoch) has driven this host with another lease: a copy of the ledger is at work; nothing was changed"
        )
    }

    private func staleEpoch(_ epoch: Epoch) -> Refusal {
        Refusal(
            .staleEpoch,
            "epoch \(epoch) is not the newest (\(highestEpoch)) that has driven this host; a newer coordinator took over"
        )
    }
}

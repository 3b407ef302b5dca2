import AgentProtocol
package import UpgradeDomain

/// Takes over a host from another ledger, or from a copy of this one. Only an operator decides that.
package struct HostAdoption: Sendable {
    private let reader: FleetReader
    private let record: any FenceRecord

    package init(
        connector: any HostConnector, ledger: LedgerID, record: any FenceRecord, clock: RuntimeClock
    ) {
        self.record = record
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// Who drove a host last, as the host reports it.
    package struct Standing: Sendable {
        package var ledger: LedgerID
        package var epoch: Epoch
        /// Whether that was this very ledger, so that there is nothing to adopt.
        package var isOurs: Bool
    }

    /// - Returns: nil if no ledger has driven the host.
    package func standing(of host: Host) async throws -> Standing? {
        let hello = try await reader.read(host) { _, hello throws(ContactFailure) in hello }
        guard let owner = hello.owner else { return nil }
        let origin = try await record.origin(of: hello.highestEpoch)
        return Standing(
            ledger: owner, epoch: hello.highestEpoch, isOurs: owner == reader.ledger && hello.isDriven(by: origin))
    }

    /// Makes the host follow this ledger from now on. Nothing else changes there, and operations in progress continue.
    package func take(_ host: Host, with fence: Fence) async throws(ContactFailure) {
        try await reader.read(host) { session, _ throws(ContactFailure) in
            _ = try await session.greet(
                HelloRequest(ledger: reader.ledger, epoch: fence.epoch, token: fence.token, takeOver: true),
                timeout: HostLinks.helloTimeout)
        }
    }
}

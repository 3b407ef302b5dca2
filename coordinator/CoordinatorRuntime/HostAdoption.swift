import AgentProtocol
public import UpgradeDomain

/// Takes a host over from another ledger, or from a copy of this one: an operator's decision, which nothing else makes.
public struct HostAdoption: Sendable {
    private let reader: FleetReader

    public init(connector: any HostConnector, ledger: LedgerID, clock: RuntimeClock) {
        reader = FleetReader(connector: connector, ledger: ledger, clock: clock)
    }

    /// Which ledger drives a host, and with which lease last, as the host says; nil where none does.
    public func standing(of host: Host) async throws(ContactFailure) -> (ledger: LedgerID, fence: Fence)? {
        try await reader.read(host) { _, hello throws(ContactFailure) in
            hello.owner.map { ($0, Fence(hello.highestEpoch, hello.token)) }
        }
    }

    /// Has the host follow this ledger from here on. Nothing else changes there, and what is under way goes on.
    public func take(_ host: Host, with fence: Fence) async throws(ContactFailure) {
        try await reader.read(host) { session, _ throws(ContactFailure) in
            _ = try await session.greet(
                HelloRequest(ledger: reader.ledger, epoch: fence.epoch, token: fence.token, takeOver: true),
                timeout: HostLinks.helloTimeout)
        }
    }
}

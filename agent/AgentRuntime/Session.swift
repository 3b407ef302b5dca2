import AgentProtocol
import UpgradeDomain

/// What one connection may do, from its hello on.
package struct Session: Sendable {
    private enum State: Sendable {
        case awaitingHello
        /// Said hello without an epoch.
        case reading
        case driving(Driver)
    }
    /// Who drives, and with which lease.
    struct Driver: Hashable, Sendable {
        var ledger: LedgerID
        var epoch: Epoch
        var token: LeaseToken?
    }
    private var state = State.awaitingHello
    /// What both sides speak, from the hello on.
    private(set) var protocolVersion = 1
    /// When its connection's agent began: a change that ended later is confirmed by a newer session only.
    let begunAt: BootTime

    init(begunAt: BootTime) { self.begunAt = begunAt }

    /// What a hello asks of the durable fence.
    enum Admission: Hashable, Sendable {
        case read
        case drive(HostFence)
    }

    /// The protocol version that a coordinator and this agent speak with each other.
    static func protocolVersion(with hello: HelloRequest) throws(Refusal) -> Int {
        if let version = ProtocolLimits.version(sharedWith: hello.protocols) { return version }
        throw Refusal(
            .noCommonProtocol,
            "this agent speaks protocol \(ProtocolLimits.versions), the coordinator \(hello.protocols); update one")
    }

    /// Judges a hello against the host's fence; ``admit(_:)`` follows once the new fence is durable.
    static func judge(_ hello: HelloRequest, fence: HostFence) throws(Refusal) -> Admission {
        guard let epoch = hello.epoch else { return .read }
        return .drive(
            try fence.admitting(
                ledger: hello.ledger, epoch: epoch, token: hello.token, takeOver: hello.takeOver))
    }

    mutating func admit(_ hello: HelloRequest, speaking version: Int) {
        protocolVersion = version
        state =
            hello.epoch.map { .driving(Driver(ledger: hello.ledger, epoch: $0, token: hello.token)) } ?? .reading
    }

    func requireHello() throws(Refusal) {
        switch state {
        case .awaitingHello: throw Refusal(.helloFirst, "say hello first")
        case .reading, .driving: break
        }
    }

    /// Who drives, for a request that changes something.
    func driver() throws(Refusal) -> Driver {
        switch state {
        case .awaitingHello: throw Refusal(.helloFirst, "say hello first")
        case .reading: throw Refusal(.readOnly, "the session said hello without an epoch, so it only reads")
        case .driving(let driver): return driver
        }
    }
}

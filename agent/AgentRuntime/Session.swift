import AgentProtocol
import UpgradeDomain

/// What one connection may do, from its hello on.
package struct Session: Sendable {
    private enum State: Sendable {
        case awaitingHello
        /// It sent a hello without an epoch.
        case reading
        case driving(Driver)
    }
    /// The driver, and its lease.
    struct Driver: Hashable, Sendable {
        var ledger: LedgerID
        var epoch: Epoch
        var token: LeaseToken?
    }
    private var state = State.awaitingHello
    /// The protocol version in use, from the hello on.
    private(set) var protocolVersion = 1
    /// When the agent of this connection began. A change that ended later can only be confirmed by a newer session.
    let begunAt: BootTime

    init(begunAt: BootTime) { self.begunAt = begunAt }

    /// What a hello requires of the durable fence.
    enum Admission: Hashable, Sendable {
        case read
        case drive(HostFence)
    }

    /// The protocol version that a coordinator and this agent use with each other.
    static func protocolVersion(with hello: HelloRequest) throws(Refusal) -> Int {
        if let version = ProtocolLimits.version(sharedWith: hello.protocols) { return version }
        throw Refusal(
            .noCommonProtocol,
            "this agent speaks protocol \(ProtocolLimits.versions), the coordinator \(hello.protocols); update one")
    }

    /// Checks a hello against the host's fence; ``admit(_:)`` follows once the new fence is durable.
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
        case .awaitingHello: throw Refusal(.helloFirst, "send hello first")
        case .reading, .driving: break
        }
    }

    /// The driver, for a request that changes something.
    func driver() throws(Refusal) -> Driver {
        switch state {
        case .awaitingHello: throw Refusal(.helloFirst, "send hello first")
        case .reading: throw Refusal(.readOnly, "the session sent hello without an epoch, so it only reads")
        case .driving(let driver): return driver
        }
    }
}

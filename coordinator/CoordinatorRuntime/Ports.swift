package import OperatorCommands
package import RolloutEngine
package import UpgradeDomain

/// The leases that a ledger issued, independent of how it is stored.
package protocol FenceRecord: Sendable {
    func origin(of epoch: Epoch) async throws -> EpochOrigin
}

/// The run's chain of events, independent of how it is stored.
package protocol RunLog: FenceRecord {
    func events(of run: RunID, after sequence: UInt64) async throws -> [RecordedEvent]
    /// Durably appends, in one transaction with the time `wall`, events that were decided from a state, and stores the
    /// raw evidence that the events name by digest. `epoch` is nil for requests, which need no lease.
    func append(
        _ events: [RunEvent], with evidence: [[UInt8]], to state: RolloutState, at wall: WallTime, epoch: Epoch?
    ) async throws -> AppendOutcome
}

/// A result from a host: an event for the record, and the raw evidence for it.
struct HostReport: Sendable {
    var event: RunEvent
    /// Raw answers and outputs, in no order.
    var evidence: [[UInt8]] = []

    init(_ event: RunEvent, evidence: [[UInt8]] = []) {
        self.event = event
        self.evidence = evidence
    }
}

package enum AppendOutcome: Sendable {
    case appended([RecordedEvent])
    /// Somebody else appended first: read the new events and try again.
    case conflict
    /// A newer driver holds the run: make no further changes.
    case deposed
}

/// Connects to the agents of hosts.
package protocol HostConnector: Sendable {
    /// The thread of the connections. Code that talks to a host runs on it to avoid thread switches, which cost more
    /// than most of the work between them. Nil if there is no such thread.
    var executor: (any TaskExecutor)? { get }
    /// Connects, authenticates and starts the agent; uploads it first if it is missing.
    func connect(to host: Host) async throws(ContactFailure) -> any AgentChannel
}

/// A two-way stream of bytes with an agent at the other end.
package protocol AgentChannel: Sendable {
    /// Returns when the bytes are accepted for sending, not when they have arrived.
    func send(_ bytes: [UInt8]) async throws(ContactFailure)
    /// The next bytes; nil when the agent has closed its side.
    func receive() async throws(ContactFailure) -> [UInt8]?
    /// Closes the connection; operations on the host continue.
    func close() async
}

/// Why a host could not be contacted.
package struct ContactFailure: Error, Hashable, Sendable {
    package var code: HoldCode
    package var message: String
    /// The next command, if there is one.
    package var next: OperatorCommand?

    package init(_ code: HoldCode, _ message: String, next: OperatorCommand? = nil) {
        self.code = code
        self.message = message
        self.next = next
    }

    /// Whether a retry may help.
    var isTransient: Bool { code == .hostUnreachable }
}

/// Time, passed in so that tests can control it.
package struct RuntimeClock: Sendable {
    package var monotonic: @Sendable () -> MonotonicTime
    package var wall: @Sendable () -> WallTime
    /// Suspends for a duration of monotonic time.
    package var sleep: @Sendable (Duration) async throws(CancellationError) -> Void

    package init(
        monotonic: @escaping @Sendable () -> MonotonicTime, wall: @escaping @Sendable () -> WallTime,
        sleep: @escaping @Sendable (Duration) async throws(CancellationError) -> Void = RuntimeClock.continuousSleep
    ) {
        self.monotonic = monotonic
        self.wall = wall
        self.sleep = sleep
    }

    package static let continuousSleep: @Sendable (Duration) async throws(CancellationError) -> Void = {
        (duration: Duration) async throws(CancellationError) -> Void in
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw CancellationError()
        }
    }
}

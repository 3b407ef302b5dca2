package import OperatorCommands
package import RolloutEngine
package import UpgradeDomain

/// Which leases a ledger gave out, wherever it is kept.
package protocol FenceRecord: Sendable {
    func origin(of epoch: Epoch) async throws -> EpochOrigin
}

/// The run's chain of events, wherever it is kept.
package protocol RunLog: FenceRecord {
    func events(of run: RunID, after sequence: UInt64) async throws -> [RecordedEvent]
    /// Appends durably as one transaction, as of `wall`, what was decided from a state, and keeps the raw evidence that the events
    /// name by its digest; `epoch` is nil for requests, which need no lease.
    func append(
        _ events: [RunEvent], with evidence: [[UInt8]], to state: RolloutState, at wall: WallTime, epoch: Epoch?
    ) async throws -> AppendOutcome
}

/// What was learnt on a host: an event for the record, and the raw evidence behind it.
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
    /// Someone else appended first: read on and try again.
    case conflict
    /// A newer driver holds the run: change nothing more.
    case deposed
}

/// A way to a host's agent.
package protocol HostConnector: Sendable {
    /// The thread that the connections live on: what talks to a host runs there and spares the changes of threads, which cost
    /// more than most of what is done between them. Nil where there is no such thread.
    var executor: (any TaskExecutor)? { get }
    /// Connects, authenticates and starts the agent, bringing it there first when it is absent.
    func connect(to host: Host) async throws(ContactFailure) -> any AgentChannel
}

/// A two-way stream of bytes with an agent at the other end.
package protocol AgentChannel: Sendable {
    /// Returns when the bytes are taken, which says nothing of whether they arrived.
    func send(_ bytes: [UInt8]) async throws(ContactFailure)
    /// The next bytes; nil when the agent has closed its side.
    func receive() async throws(ContactFailure) -> [UInt8]?
    /// Ends the connection; what runs on the host goes on.
    func close() async
}

/// Why a host could not be spoken to.
package struct ContactFailure: Error, Hashable, Sendable {
    package var code: HoldCode
    package var message: String
    /// What to do next, where one command does it.
    package var next: OperatorCommand?

    package init(_ code: HoldCode, _ message: String, next: OperatorCommand? = nil) {
        self.code = code
        self.message = message
        self.next = next
    }

    /// Whether trying again may help.
    var isTransient: Bool { code == .hostUnreachable }
}

/// Time, passed in so that tests move it.
package struct RuntimeClock: Sendable {
    package var monotonic: @Sendable () -> MonotonicTime
    package var wall: @Sendable () -> WallTime
    /// Suspends for a while of monotonic time.
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

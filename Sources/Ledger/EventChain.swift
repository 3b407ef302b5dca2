import ContentDigest
import UpgradeDomain

/// How each event's hash covers the previous event.
///
/// The formula is documented in `docs/ledger.md`, where a short script recomputes it without this code.
enum EventChain {
    /// The event format version that this build writes, and the highest that it reads.
    static let eventVersion: Int64 = 1
    /// The hash that the first event of a run follows.
    static let origin = Digest("sha256:" + String(repeating: "0", count: 64))

    /// Everything that an event's hash covers. The hash is computed over its canonical JSON.
    struct Link: Encodable {
        var kind: String
        var payloadDigest: Digest
        var previousHash: Digest
        var recordedAtMilliseconds: Int64
        var run: RunID
        var sequence: UInt64
        var version: Int64

        func hash() throws -> Digest { Digest.sha256(of: try CanonicalJSON.encode(self)) }
    }

    /// The last event of a run's chain.
    struct Head: Equatable {
        var sequence: UInt64
        var hash: Digest

        static let beforeFirst = Head(sequence: 0, hash: origin)
    }
}

extension RunEvent {
    /// Whether a process may append this event without holding the lease.
    var needsLease: Bool {
        switch self {
        case .requested: false
        case .runStarted, .driverAttached, .driverDetached, .preflightRecorded, .captured, .operationIntended,
            .operationWithdrawn, .operationStarted, .operationUncertain, .operationEnded, .operationTombstoned,
            .operationConfirmed, .operationReverted,
            .placementSoaked, .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited, .evidencePruned:
            true
        }
    }

    /// The state that this event closes the run with; nil if the run stays open.
    var closing: RunStanding? {
        switch self {
        case .requested(let request):
            switch request.action {
            case .finalize: .finalized
            case .cancel: .cancelled
            case .supersede(let successor): .superseded(by: successor)
            case .pause, .resume, .abort, .rollback, .recheck, .rerun, .signOff, .rebind, .retire,
                .approveRecovery, .present:
                nil
            }
        case .runStarted, .driverAttached, .driverDetached, .preflightRecorded, .captured, .operationIntended,
            .operationWithdrawn, .operationStarted, .operationUncertain, .operationEnded, .operationTombstoned,
            .operationConfirmed, .operationReverted,
            .placementSoaked, .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited, .evidencePruned:
            nil
        }
    }
}

import RolloutEngine
import UpgradeDomain

/// The exit codes of `lockflight`: one table for every command.
package enum ExitStatus: Int32, CaseIterable, Sendable {
    /// Done; of a run: verified.
    case verified = 0
    /// The run stopped at a boundary and waits for a person.
    case held = 10
    case rolledBackVerified = 11
    /// Rolled back, but not proved to be what it was: unverified or failed.
    case rolledBackNotVerified = 12
    /// A precondition, a validation or a lease says no; nothing changed.
    case refused = 13
    /// A host could not be reached, or what happened is not known.
    case unreachable = 14
    /// A host was rechecked, or its step ran again, and it is still not what it should be.
    case notRecovered = 15
    /// Stopped on request before the end; `rollout resume` goes on.
    case detached = 20
    case usage = 64
    /// A fault of the machine or of Lockflight itself.
    case failure = 70

    /// Its line in a table.
    var row: String { "  \(rawValue < 10 ? " " : "")\(rawValue)  \(meaning)" }

    var meaning: String {
        switch self {
        case .verified: "done; of a run: verified"
        case .held: "held, paused, aborted or cancelled: waits for a person"
        case .rolledBackVerified: "rolled back, verified against the state before"
        case .rolledBackNotVerified: "rolled back, not verified"
        case .refused: "refused; nothing changed"
        case .unreachable: "a host is unreachable, or an outcome unknown"
        case .notRecovered: "rechecked or rerun, and still wrong"
        case .detached: "stopped on request; `rollout resume` goes on"
        case .usage: "usage error"
        case .failure: "a fault of the machine or of Lockflight"
        }
    }
}

extension RolloutState {
    /// The exit code that says what the run is.
    var exitStatus: ExitStatus {
        switch status {
        case .verified, .verifiedExcept, .finalized, .superseded: .verified
        case .held(.hostUnreachable), .held(.operationUnsettled): unresolvedFailures.isEmpty ? .held : .unreachable
        case .held, .paused, .aborted, .cancelled: .held
        case .rolledBack(.verified): .rolledBackVerified
        case .rolledBack: .rolledBackNotVerified
        case .preflight, .baseline, .changing, .proving, .rollingBack: .detached
        }
    }
}

import RolloutEngine
import UpgradeDomain

/// The exit codes of `lockflight`: one table for every command.
package enum ExitStatus: Int32, CaseIterable, Sendable {
    /// Done; of a run: verified.
    case verified = 0
    /// The run stopped at a boundary and waits for a person.
    case held = 10
    case rolledBackVerified = 11
    /// Rolled back, but not proved to match the state before: unverified or failed.
    case rolledBackNotVerified = 12
    /// Refused by a precondition, a validation or a lease; nothing changed.
    case refused = 13
    /// A host could not be reached, or what happened is not known.
    case unreachable = 14
    /// A host was rechecked, or its step ran again, and it is still wrong.
    case notRecovered = 15
    /// Stopped on request before the end; `rollout resume` continues.
    case detached = 20
    case usage = 64
    /// An error of the machine or of Lockflight itself.
    case failure = 70

    /// Its row in the table of exit codes.
    var row: String { "  \(rawValue < 10 ? " " : "")\(rawValue)  \(meaning)" }

    var meaning: String {
        switch self {
        case .verified: "done; of a run: verified"
        case .held: "held, paused, aborted or cancelled: waits for a person"
        case .rolledBackVerified: "rolled back, verified against the state before"
        case .rolledBackNotVerified: "rolled back, not verified"
        case .refused: "refused; nothing changed"
        case .unreachable: "a host is unreachable, or an outcome is unknown"
        case .notRecovered: "rechecked or rerun, and still wrong"
        case .detached: "stopped on request; `rollout resume` continues"
        case .usage: "usage error"
        case .failure: "an error of the machine or of Lockflight"
        }
    }
}

extension RolloutState {
    /// The exit code for the status of the run.
    var exitStatus: ExitStatus {
        switch status {
        case .verified, .verifiedExcept, .finalized, .superseded: .verified
        case .held(.hostUnreachable), .held(.operationUnsettled): unresolvedFailures.isEmpty ? .held : .unreachable
        case .held, .paused, .aborted, .cancelled: .held
        case .rolledBack(.verified): .rolledBackVerified
        case .rolledBack: .rolledBackNotVerified
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .rollingBack: .detached
        }
    }
}

package import UpgradeDomain

/// What kind of failure it was; each asks for another answer.
package enum FailureClass: String, Hashable, Sendable, CaseIterable {
    /// It ran, or was compared, and is wrong.
    case failed
    /// The host, or what became of an operation there, could not be learnt.
    case unreachable
    /// Something declined before anything changed.
    case refused
    case timedOut
    case interrupted
    /// The evidence does not say; never taken as good.
    case inconclusive
    /// Not tried, because an earlier boundary closed; in scope of the next resume.
    case skipped
}

extension HoldCode {
    package var failureClass: FailureClass {
        switch self {
        case .hostUnreachable, .operationUnsettled: .unreachable
        case .hostKeyChanged, .hostKeyUnknown, .authenticationRefused, .agentUnusable, .hostOwnedElsewhere,
            .ledgerCopied,
            .machineChanged, .machineDuplicated, .scriptMissing, .rollbackPrerequisiteMissing, .diskFull,
            .guardrailRefused, .operationRefused, .hostBlocked, .rollbackRequested, .approvalEnded:
            .refused
        case .sourceVersionMismatch, .baselineUnhealthy, .baselineDrift, .versionMismatch, .runtimeMismatch,
            .materializationFailed,
            .evidenceMissing, .evidenceRegressed, .pathFailed, .stepFailed, .rollbackFailed, .rollbackUnverified,
            .rollbackCopyVanished:
            .failed
        case .stepTimedOut, .progressDeadline: .timedOut
        case .stepInterrupted, .changeReverted: .interrupted
        case .baselineIncomplete, .evidenceUnknown, .evidenceStale, .evidenceContradictory, .instrumentChanged,
            .illegalMove:
            .inconclusive
        }
    }
}

/// A failed boundary's cause. Latched: only a recorded recovery resolves it.
package struct Failure: Hashable, Sendable {
    package var boundary: Boundary
    /// Whom it concerns; nil for layer and fleet evidence.
    package var host: HostName?
    package var placement: Placement?
    package var subject: EvidenceSubject?
    package var problem: Problem
    /// The step that failed, or whose fate is not known.
    package var operation: OperationID?
    /// The step or rollback that failed so last; another attempt of it may have failed before.
    package internal(set) var ranLast: OperationID?
    package var at: WallTime
    package internal(set) var resolution: Resolution?
    /// The last lines that the command surface behind it printed.
    package internal(set) var printed: [String] = []
    /// What the last recheck of its host found.
    package internal(set) var recheck: Recheck?

    /// Whom it concerns, in words: a placement, a host, a layer, the fleet, or the run as a whole.
    package var whom: String { placement?.description ?? subject?.description ?? host?.rawValue ?? "the run" }
}

/// When a repaired host was looked at again, and what was still wrong; nil where it passed.
package struct Recheck: Hashable, Sendable {
    package let at: WallTime
    package let problem: Problem?
}

/// How a failure was answered.
package enum Resolution: String, Hashable, Sendable {
    case repairedByHand, rerunPassed, rolledBackVerified, retired
    /// Nothing had changed when it failed; the check is made again from the start.
    case checkedAgain
    /// What became of the operation is known now; where that is bad it is a failure of its own.
    case settled
}

package import UpgradeDomain

/// The kind of a failure. Each kind needs a different response.
package enum FailureClass: String, Hashable, Sendable, CaseIterable {
    /// It ran, or was compared, and the result is wrong.
    case failed
    /// The host could not be reached, or the outcome of an operation there could not be learned.
    case unreachable
    /// Something refused before anything changed.
    case refused
    case timedOut
    case interrupted
    /// The evidence does not decide. It is never treated as good.
    case inconclusive
    /// Not tried, because an earlier boundary failed; in scope of the next resume.
    case skipped
}

extension HoldCode {
    package var failureClass: FailureClass {
        switch self {
        case .hostUnreachable, .operationUnsettled: .unreachable
        case .hostKeyChanged, .hostKeyUnknown, .authenticationRefused, .agentUnusable, .hostOwnedElsewhere,
            .ledgerCopied,
            .machineChanged, .machineDuplicated, .scriptMissing, .rollbackPrerequisiteMissing, .releaseMismatch,
            .diskFull,
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

/// The cause of a failed boundary. Latched: only a recorded recovery resolves it.
package struct Failure: Hashable, Sendable {
    package var boundary: Boundary
    /// The host that failed; nil for layer and fleet evidence.
    package var host: HostName?
    package var placement: Placement?
    package var subject: EvidenceSubject?
    package var problem: Problem
    /// The step that failed, or whose outcome is not known.
    package var operation: OperationID?
    /// The step or rollback that last failed this way. An earlier attempt of it may have failed before.
    package internal(set) var ranLast: OperationID?
    package var at: WallTime
    package internal(set) var resolution: Resolution?
    /// The last lines that the command surface behind the failure printed.
    package internal(set) var printed: [String] = []
    /// The result of the last recheck of its host.
    package internal(set) var recheck: Recheck?

    /// What failed, in words: a placement, a host, a layer, the fleet, or the whole run.
    package var whom: String { placement?.description ?? subject?.description ?? host?.rawValue ?? "the run" }
}

/// When a repaired host was captured again, and what was still wrong; nil if it passed.
package struct Recheck: Hashable, Sendable {
    package let at: WallTime
    package let problem: Problem?
}

/// How a failure was resolved.
package enum Resolution: String, Hashable, Sendable {
    case repairedByHand, rerunPassed, rolledBackVerified, retired
    /// Nothing had changed when it failed. The check is made again from the start.
    case checkedAgain
    /// The outcome of the operation is now known. A bad outcome is a failure of its own.
    case settled
}

/// Why boundaries failed, and how each failure was resolved. Entries are never removed.
struct FailureLog: Hashable, Sendable {
    private(set) var all: [Failure] = []

    var unresolved: [Failure] { all.filter { $0.resolution == nil } }

    /// The first unresolved failure, else the last one.
    var leading: Failure? { all.first { $0.resolution == nil } ?? all.last }

    /// The failure that a placement must recover from. A failure of its host counts too.
    func unresolved(of placement: Placement) -> Failure? {
        all.first {
            $0.resolution == nil && ($0.placement == placement || ($0.placement == nil && $0.host == placement.host))
        }
    }

    /// Adds a failure, unless one of the same subject and kind is already open. If that one has the same words, it now
    /// names the operation that ran last.
    mutating func note(_ failure: Failure) {
        let open = all.firstIndex {
            $0.resolution == nil && $0.host == failure.host && $0.placement == failure.placement
                && $0.subject == failure.subject && $0.problem.code == failure.problem.code
        }
        guard let open else { return all.append(failure) }
        if all[open].problem == failure.problem { all[open].ranLast = failure.ranLast ?? all[open].ranLast }
    }

    /// Stores the result of a recheck in the open failures of a placement. Nil if its step runs again, which makes an
    /// earlier result obsolete. Failures of the whole host get it too, if the result is not good or if the whole host
    /// was rechecked.
    mutating func note(_ recheck: Recheck?, of placement: Placement, isWhole: Bool) {
        for index in all.indices where all[index].resolution == nil && all[index].host == placement.host {
            let isOfHost = all[index].placement == nil && (isWhole || recheck?.problem != nil)
            if all[index].placement == placement || isOfHost { all[index].recheck = recheck }
        }
    }

    /// Resolves the open failures that match.
    mutating func resolve(as resolution: Resolution, where isMeant: (Failure) -> Bool = { _ in true }) {
        for index in all.indices where all[index].resolution == nil && isMeant(all[index]) {
            all[index].resolution = resolution
        }
    }
}

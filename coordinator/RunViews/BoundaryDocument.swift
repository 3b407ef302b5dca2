import Approvals
package import OperatorCommands
package import RolloutEngine
package import UpgradeDomain

/// A boundary record with everything that a decision needs, readable without the ledger, as JSON and as a page.
package struct BoundaryDocument: Encodable {
    /// One failure: where, what, and how it was answered.
    package struct FailureDocument: Encodable {
        package var boundary: String
        package var subject: String
        package var code: String
        package var failureClass: String
        package var detail: String
        package var divergent: ItemDelta?
        /// The last lines of output of the failed script; nil if there are none.
        package var output: [String]?
        package var atMilliseconds: Int64
        package var answered: String?
        /// The result of the last recheck; nil if there was none.
        package var recheck: String?
    }
    /// The evidence of one placement, before and after.
    package struct Evidence: Encodable {
        package var placement: Placement
        package var before: Capture?
        package var after: Capture?
        package var deltas: [ComparedItem]
    }

    package var run: RunID
    package var plan: String
    package var planDigest: Digest
    package var hostsDigest: Digest
    package var ledger: LedgerID
    package var sequence: UInt64
    package var chainHead: Digest
    package var writtenAtMilliseconds: Int64
    package var completed: String?
    package var stopped: String
    package var failures: [FailureDocument]
    package var failedWhen: [String]
    package var touched: [Placement]
    package var rolledBack: [Placement]
    package var untouched: [Placement]
    package var skipped: [Placement]
    package var inFlight: [OperationID]
    package var safeToVerifyInPlace: Bool
    package var evidence: [Evidence]
    package var approvals: [Approval]
    package var recoveryApprovals: [RecoveryApproval]
    /// The statements that were given to the run, with who says so; nil if there are none.
    package var statements: [StatementDocument]?
    /// Narrowest first; nil in proved conclusions, because they are advice that depends on the time and the build.
    package var options: [NextCommandDocument]?

    /// Whether evidence can be captured now, without changing anything.
    package static func inPlaceWords(_ isSafe: Bool) -> String {
        isSafe
            ? "every host can be checked as it is"
            : "hosts can not be checked yet: an operation is open, or a host is lost"
    }

    /// - Parameter lines: formats the next commands; nil leaves them out.
    package init(_ record: BoundaryRecord, of state: RolloutState, at now: WallTime, _ lines: CommandLines?) {
        run = state.definition.run
        plan = state.plan.name
        planDigest = state.definition.planDigest
        hostsDigest = state.definition.hostsDigest
        ledger = state.definition.ledger
        sequence = state.sequence
        chainHead = state.chainHead
        writtenAtMilliseconds = now.milliseconds
        completed = record.completed?.description
        stopped = record.stopped.description
        failures = record.failures.map { failure in
            FailureDocument(
                boundary: failure.boundary.description,
                subject: failure.whom,
                code: failure.problem.code.rawValue, failureClass: failure.problem.code.failureClass.rawValue,
                detail: failure.problem.detail, divergent: failure.problem.item,
                output: state.output(of: failure).nonEmpty,
                atMilliseconds: failure.at.milliseconds,
                answered: failure.resolution?.words, recheck: failure.recheck?.words)
        }
        failedWhen = record.failedWhen
        touched = record.touched
        rolledBack = record.rolledBack
        untouched = record.untouched
        skipped = record.skipped
        inFlight = record.inFlight.map(\.intent.id)
        safeToVerifyInPlace = record.isSafeToVerifyInPlace
        let concerned = Set(record.failures.compactMap(\.placement))
        evidence = state.orderedPlacements.filter(concerned.contains).map { placement in
            let comparison = state.comparison(of: placement)
            return Evidence(
                placement: placement, before: comparison?.before, after: comparison?.after,
                deltas: comparison?.items ?? [])
        }
        approvals = state.definition.approvals
        recoveryApprovals = state.recoveryApprovals
        let given = state.authority.given.map { StatementDocument($0) }
        statements = given.isEmpty ? nil : given
        options = lines.map { lines in state.nextCommands(at: now).map { NextCommandDocument($0, lines) } }
    }
}

import RolloutEngine
import SafeText
import UpgradeDomain

/// A boundary record with everything that a decision needs, readable without the ledger: as JSON, and as a page.
struct BoundaryDocument: Encodable {
    struct FailureDocument: Encodable {
        var boundary: String
        var subject: String
        var code: String
        var failureClass: String
        var detail: String
        var divergent: ItemDelta?
        var atMilliseconds: Int64
        var answered: String?
    }
    struct Evidence: Encodable {
        var placement: Placement
        var before: Capture?
        var after: Capture?
        var deltas: [ItemDelta]
    }

    var run: RunID
    var plan: String
    var planDigest: Digest
    var hostsDigest: Digest
    var ledger: LedgerID
    var sequence: UInt64
    var chainHead: Digest
    var writtenAtMilliseconds: Int64
    var completed: String?
    var stopped: String
    var failures: [FailureDocument]
    var failedWhen: [String]
    var touched: [Placement]
    var rolledBack: [Placement]
    var untouched: [Placement]
    var skipped: [Placement]
    var inFlight: [OperationID]
    var safeToVerifyInPlace: Bool
    var evidence: [Evidence]
    var approvals: [Approval]
    var recoveryApprovals: [RecoveryApproval]
    /// Narrowest first; nil in what is proved, as they are advice that depends on the time and the build.
    var options: [NextCommandDocument]?

    /// - Parameter lines: writes the commands that can be given; nil leaves them out.
    init(_ record: BoundaryRecord, of state: RolloutState, at now: WallTime, _ lines: CommandLines?) {
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
                subject: failure.subject?.description ?? failure.host?.rawValue ?? "the run",
                code: failure.problem.code.rawValue, failureClass: failure.problem.code.failureClass.rawValue,
                detail: failure.problem.detail, divergent: failure.problem.item,
                atMilliseconds: failure.at.milliseconds,
                answered: failure.resolution?.words)
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
            let before = state.baselines[.placement(placement)]
            let after = state.placements[placement]?.latest
            let expects = state.plan.layer(placement.layer)?.expects ?? []
            let deltas: [ItemDelta] =
                if let before, let after {
                    EvidenceComparison.deltas(
                        before: before, after: after, expects: expects, measures: state.plan.measures)
                } else { [] }
            return Evidence(placement: placement, before: before, after: after, deltas: deltas)
        }
        approvals = state.definition.approvals
        recoveryApprovals = state.recoveryApprovals
        options = lines.map { lines in state.nextCommands(at: now).map { NextCommandDocument($0, lines) } }
    }

    // MARK: The page

    /// The record as Markdown that reads well as plain text.
    var page: MarkdownText {
        var lines: [MarkdownText] = ["# \(run): held at \(stopped)", ""]
        lines += failures.filter { $0.answered == nil }.prefix(1).map {
            "**\($0.code)** (\($0.failureClass)): \($0.detail)"
        }
        lines += [
            "", "| | |", "|---|---|", row("plan", "\(plan), \(planDigest)"), row("hosts", "\(hostsDigest)"),
            row("ledger", "\(ledger), event \(sequence), chain head \(chainHead)"),
            row("written", WallTime(clamping: writtenAtMilliseconds).rfc3339),
            row("completed", completed ?? "nothing"), row("stopped", stopped), row("touched", names(touched)),
            row("taken back", names(rolledBack)), row("untouched", names(untouched)), row("skipped", names(skipped)),
            row("in flight", inFlight.isEmpty ? "none" : inFlight.map(\.rawValue).joined(separator: ", ")),
            row("in place", safeToVerifyInPlace ? "safe to verify in place" : "not safe to verify in place yet"),
            row("counts as failed", failedWhen.joined(separator: "; ")), "", "## Failures", "",
            "| at | boundary | subject | code | class | detail | answered |", "|---|---|---|---|---|---|---|",
        ]
        lines += failures.map { failure in
            cells([
                WallTime(clamping: failure.atMilliseconds).rfc3339, failure.boundary, failure.subject, failure.code,
                failure.failureClass, failure.detail, failure.answered ?? "no",
            ])
        }
        for piece in evidence {
            lines += ["", "## Evidence of \(piece.placement)", ""]
            lines += [
                "Before: \(piece.before?.takenAt.rfc3339 ?? "not taken"). After: \(piece.after?.takenAt.rfc3339 ?? "not taken").",
                "", "| surface | item | before | after | verdict |", "|---|---|---|---|---|",
            ]
            lines += piece.deltas.map {
                cells(["\($0.surface)", $0.item, $0.before ?? "-", $0.after ?? "-", $0.verdict.rawValue])
            }
        }
        lines += ["", "## Approved by", "", "| owner | claimed by | at | rollback until |", "|---|---|---|---|"]
        lines += approvals.map {
            cells(["\($0.owner)", $0.claimedBy, $0.approvedAt.rfc3339, $0.rollbackUntil?.rfc3339 ?? "not approved"])
        }
        lines += recoveryApprovals.isEmpty ? [] : [""] + recoveryApprovals.map { "- \($0.sentence)" as MarkdownText }
        if let options {
            lines += ["", "## Ways on, narrowest first", ""]
            lines += options.map { option in
                let asks = option.asks == nil ? "" : "; asks for the reason"
                return "- \(MarkdownText(code: option.command)): \(option.why + asks)"
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func names(_ placements: [Placement]) -> String {
        placements.isEmpty ? "none" : placements.map(\.description).joined(separator: ", ")
    }

    private func row(_ name: String, _ value: String) -> MarkdownText { .row([name, value]) }

    private func cells(_ values: [String]) -> MarkdownText { .row(values) }
}

import RunViews
import SafeText
import UpgradeDomain

extension BoundaryDocument {
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
            row("rolled back", names(rolledBack)), row("untouched", names(untouched)), row("skipped", names(skipped)),
            row("in flight", inFlight.isEmpty ? "none" : inFlight.map(\.rawValue).joined(separator: ", ")),
            row("in place", BoundaryDocument.inPlaceWords(safeToVerifyInPlace)),
            row("counts as failed", failedWhen.joined(separator: "; ")), "", "## Failures", "",
            "| at | boundary | subject | code | class | detail | recheck | answered |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += failures.map { failure in
            cells([
                WallTime(clamping: failure.atMilliseconds).rfc3339, failure.boundary, failure.subject, failure.code,
                failure.failureClass, failure.detail, failure.recheck ?? "none", failure.answered ?? "no",
            ])
        }
        for failure in failures {
            guard let output = failure.output else { continue }
            lines +=
                ["", "Last output of \(failure.subject):", "", "| line |", "|---|"] + output.map { cells([$0]) }
        }
        for piece in evidence {
            lines += ["", "## Evidence of \(piece.placement)", ""]
            lines += [
                "Before: \(piece.before?.takenAt.rfc3339 ?? "not taken"). After: \(piece.after?.takenAt.rfc3339 ?? "not taken").",
                "", "| surface | item | before | after | verdict |", "|---|---|---|---|---|",
            ]
            lines += piece.deltas.map {
                cells($0.cells)
            }
        }
        lines += [
            "", "## Approved by", "",
            "| owner | how | at | serves | rollback until |",
            "|---|---|---|---|---|",
        ]
        lines += approvals.map {
            cells([
                "\($0.owner)", claimWords(by: $0.claimedBy), $0.approvedAt.rfc3339, $0.service,
                $0.rollbackUntil?.rfc3339 ?? "not approved",
            ])
        }
        lines += (statements ?? []).map { statement in
            cells([
                statement.people.map(\.rawValue).joined(separator: ", "), "\(statement.how): \(statement.what)",
                statement.issuedAt, "until \(statement.notAfter)", statement.rollbackUntil ?? "not approved",
            ])
        }
        lines += recoveryApprovals.isEmpty ? [] : [""] + recoveryApprovals.map { "- \($0.sentence)" as MarkdownText }
        if let options {
            lines += ["", "## Options, narrowest first", ""]
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

import RolloutEngine
import SafeText
package import UpgradeDomain

/// The record for a change board: what changed, who approved it, the evidence before and after, what went wrong.
package struct ChangeRecord {
    /// A period of the run with one status.
    package struct Stretch {
        /// The direction in which the run moved, if it moved.
        package enum Kind: String { case forward, held, back, rest }
        package var words: String
        package var kind: Kind
        package var from: WallTime
        package var until: WallTime
    }
    /// A table of the record.
    package struct Table {
        package var title: String
        package var headers: [String]
        package var rows: [[String]]
        /// The text that is shown if there are no rows.
        package var empty: String
    }

    package var title: String
    package var verdict: String
    package var isGood: Bool
    package var facts: [(name: String, value: String)]
    package var stretches: [Stretch] = []
    package var tables: [Table] = []

    /// Nil if the events define no run.
    package init?(_ events: [RecordedEvent]) {
        guard var state = RolloutState.fold(Array(events.prefix(1)), at: .zero) else { return nil }
        var requests: [[String]] = []
        var last = state.startedAt
        var stretch = Stretch(state, from: last)
        for event in events.dropFirst() {
            state.apply(event, at: .zero)
            if case .requested(let request) = event.event {
                requests.append([event.recordedAt.rfc3339, request.by, request.sentence, request.reason ?? ""])
            }
            let now = Stretch(state, from: event.recordedAt)
            if now.words != stretch.words {
                stretch.until = event.recordedAt
                stretches.append(stretch)
                stretch = now
            }
            last = event.recordedAt
        }
        stretch.until = last
        stretches.append(stretch)

        let definition = state.definition
        let plan = state.plan
        title = "\(plan.name): \(plan.version.from) to \(plan.version.to)"
        verdict = state.status.description
        switch state.status {
        case .verified, .finalized, .rolledBack(.verified): isGood = true
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .paused, .held, .rollingBack, .rolledBack,
            .aborted, .verifiedExcept, .cancelled, .superseded:
            isGood = false
        }
        facts = [
            ("run", "\(definition.run)"), ("change class", plan.changeClass.rawValue),
            ("started", state.startedAt.rfc3339), ("last event", last.rfc3339), ("plan", "\(definition.planDigest)"),
            ("hosts", "\(definition.hosts.count), \(definition.hostsDigest)"),
            ("record", "ledger \(definition.ledger), \(counted(state.sequence, "event")), head \(state.chainHead)"),
        ]
        if let words = state.policyWords { facts.append(("policy", words)) }
        tables = ChangeRecord.approvalTables(state) + ChangeRecord.evidenceTables(state)
        tables.append(
            Table(title: "Requests", headers: ["at", "by", "what", "reason"], rows: requests, empty: "nothing"))
    }

    private static func evidenceTables(_ state: RolloutState) -> [Table] {
        [
            Table(
                title: "Placements", headers: ["placement", "from", "intended", "recorded", "observed", "phase"],
                rows: state.orderedPlacements.map { ChangeRecord.row(of: $0, state) }, empty: "none"),
            Table(
                title: "Differences from the baseline",
                headers: ["placement", "surface", "item", "before", "after", "verdict"],
                rows: state.orderedPlacements.flatMap { ChangeRecord.differences(of: $0, state) },
                empty: "none: every item is the same as before"),
            Table(
                title: "Failed boundaries",
                headers: ["at", "boundary", "subject", "code", "class", "detail", "recheck", "answered"],
                rows: state.failures.map { failure in
                    [
                        failure.at.rfc3339, failure.boundary.description, failure.whom,
                        failure.problem.code.rawValue, failure.problem.code.failureClass.words, failure.problem.detail,
                        failure.recheck?.words ?? "none", failure.resolution?.words ?? "no",
                    ]
                }, empty: "none"),
            Table(
                title: "Last output of failed scripts", headers: ["at", "subject", "line"],
                rows: state.failures.flatMap { ChangeRecord.output(of: $0, state) }, empty: "nothing"),
        ]
    }

    /// A row for each line; the first row names the placement.
    private static func output(of failure: Failure, _ state: RolloutState) -> [[String]] {
        state.output(of: failure).enumerated().map { index, line in
            index == 0 ? [failure.at.rfc3339, failure.whom, line] : ["", "", line]
        }
    }

    private static func row(of placement: Placement, _ state: RolloutState) -> [String] {
        guard let own = state.placements[placement], let layer = state.plan.layer(placement.layer) else { return [] }
        let recorded =
            switch own.recorded {
            case .source: "\(layer.version.from)"
            case .between: "between"
            case .target: "\(layer.version.to)"
            }
        let observed = Set(own.observed.values).sorted().map(\.rawValue).joined(separator: ", ")
        return [
            "\(placement)", "\(layer.version.from)", "\(layer.version.to)",
            "\(recorded), \(own.recordedSince.rfc3339)",
            observed.isEmpty ? "-" : observed + (own.latest.map { ", \($0.takenAt.rfc3339)" } ?? ""),
            own.phaseWords(isHeld: state.isHeld),
        ]
    }

    private static func differences(of placement: Placement, _ state: RolloutState) -> [[String]] {
        guard let comparison = state.comparison(of: placement) else { return [] }
        // Without a baseline everything is new, so only items that do not pass are listed.
        return comparison.items.filter { $0.isDivergent || (comparison.before != nil && $0.verdict != .same) }
            .map { ["\(placement)"] + $0.cells }
    }
}

extension ChangeRecord.Stretch {
    fileprivate init(_ state: RolloutState, from: WallTime) {
        words = state.status.description
        switch state.status {
        case .preflight, .baseline, .changing, .proving, .verified: kind = .forward
        case .held, .paused, .awaitingApproval, .aborted, .verifiedExcept: kind = .held
        case .rollingBack, .rolledBack: kind = .back
        case .finalized, .cancelled, .superseded: kind = .rest
        }
        self.from = from
        until = from
    }
}

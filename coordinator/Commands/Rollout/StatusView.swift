import RolloutEngine
import Terminal
import UpgradeDomain

/// A run as a person reads it: layers top to bottom, a line per placement, the hold and the way on.
struct StatusView {
    let state: RolloutState
    let now: WallTime
    let width: Int
    let style: Style
    /// Who drives, or that nobody does; nil where that is not known.
    var driver: String?

    /// What every line takes beside the host's name and its phase.
    private var fixedColumns: Int { 14 + 3 * versionColumn }
    /// Each version has its age beside it where there is room.
    private var hasAges: Bool { width >= 100 }
    private var versionColumn: Int { hasAges ? 14 : 8 }

    func lines() -> [String] {
        var lines = header
        for (index, layer) in state.plan.layers.enumerated() { lines += layerLines(layer, state.batches[index]) }
        if state.boundaryRecord != nil { lines += [""] + holdLines }
        return state.isAtRest || driver == nil ? lines + nextLines : lines
    }

    /// The boundary record and the ways on, alone.
    var recoveryLines: [String] { holdLines + nextLines }

    private var nextLines: [String] {
        let next = state.nextCommands(at: now)
        guard !next.isEmpty else { return [] }
        return ["", style.bold("next, narrowest first")]
            + next.flatMap { ["  " + style.cyan($0.command), "      " + style.dim($0.why)] }
    }

    // MARK: Head

    private var header: [String] {
        let plan = state.plan
        let done = state.orderedPlacements.filter { isDone($0) }.count
        let total = state.orderedPlacements.count
        var lines = [
            style.bold("\(state.definition.run)") + "  \(plan.name)  \(plan.version.from) -> \(plan.version.to)",
            statusWord + "  " + style.dim("at \(state.boundary)"),
            "\(bar(done, total, 24))  \(done)/\(total) placements",
            "observed  \(fleetVersion)",
        ]
        if let driver { lines += TerminalText.wrapped(driver, to: width).map(style.dim) }
        return lines
    }

    private var statusWord: String {
        let word = state.status.description
        switch state.status {
        case .verified, .finalized, .rolledBack(.verified): return style.green(word)
        case .held, .rolledBack: return style.red(word)
        case .paused, .aborted, .rollingBack, .verifiedExcept, .superseded: return style.yellow(word)
        case .preflight, .baseline, .changing, .proving: return style.cyan(word)
        }
    }

    /// What the fleet was last seen running: one version, or how it is mixed.
    private var fleetVersion: String {
        var counts: [String: Int] = [:]
        for placement in state.orderedPlacements { counts[observed(placement), default: 0] += 1 }
        let seen = counts.filter { $0.key != "-" }
        guard seen.count > 1 else { return seen.keys.first ?? "nothing yet" }
        let parts = seen.sorted { $0.key < $1.key }.map { "\($0.key) x\($0.value)" }
        return style.yellow("mixed") + ": " + parts.joined(separator: ", ")
    }

    // MARK: Layers

    private func layerLines(_ layer: PlanLayer, _ batches: [Batch]) -> [String] {
        let members = batches.flatMap(\.placements)
        let done = members.filter { isDone($0) }.count
        var lines = [
            "", style.bold("layer \(layer.name)") + "  \(bar(done, members.count, 12))  \(done)/\(members.count)",
        ]
        let longest = members.map { $0.host.rawValue.count }.max() ?? 0
        let names = max(4, min(longest, max(10, width - fixedColumns - 22)))
        let phases = max(9, min(22, width - fixedColumns - names))
        lines.append(
            style.dim(
                "     " + column("host", names) + column("phase", phases) + column("for", 4)
                    + column("intended", versionColumn)
                    + column("recorded", versionColumn) + "observed"))
        for batch in batches {
            for (position, placement) in batch.placements.enumerated() {
                let label = position == 0 ? "b\(batch.index + 1)" : ""
                lines.append(cell(placement, layer, label, names, phases))
            }
        }
        return lines
    }

    private func cell(_ placement: Placement, _ layer: PlanLayer, _ label: String, _ names: Int, _ phases: Int)
        -> String
    {
        guard let own = state.placements[placement] else { return "" }
        let recorded =
            switch own.recorded {
            case .source: "\(layer.version.from)"
            case .between: "between"
            case .target: "\(layer.version.to)"
            }
        let seen = observed(placement)
        let text = column(label, 2) + mark(own) + " " + column(placement.host.rawValue, names)
        let middle = column(phase(own, placement), phases) + column(age(since: own.phaseSince), 4)
        let versions =
            column(aged("\(layer.version.to)", state.startedAt), versionColumn)
            + column(aged(recorded, own.recordedSince), versionColumn)
        let clipped = TerminalText.clipped(aged(seen, own.latest?.takenAt), to: versionColumn)
        return text + tint(own, middle) + versions + (seen == recorded || seen == "-" ? clipped : style.yellow(clipped))
    }

    private func aged(_ version: String, _ time: WallTime?) -> String {
        guard hasAges, let time else { return version }
        return "\(version) \(age(since: time))"
    }

    private func age(since time: WallTime) -> String { age(max(0, (now.milliseconds - time.milliseconds) / 1_000)) }

    private func phase(_ own: PlacementState, _ placement: Placement) -> String {
        let word =
            switch own.phase {
            case .waiting: own.attempt > 1 ? "waiting (try \(own.attempt))" : "waiting"
            case .checked: "checked"
            case .changing: "changing"
            case .warmingUp: state.isHeld ? "not verified" : "warming up"
            case .soaking: "soaking"
            case .soaked: "verified"
            case .failed: own.problem?.code.failureClass.words ?? "failed"
            case .rollbackPending: "to roll back"
            case .rollingBack: "rolling back"
            case .provingRollback: "proving"
            case .rolledBack(.verified): "back, verified"
            case .rolledBack(.unverified): "back, unverified"
            case .rolledBack(.failed): "rollback failed"
            case .rolledBack(.refused): "rollback refused"
            case .retired: "retired"
            }
        return word + (own.repairedByHand ? " (by hand)" : own.adopted ? " (adopted)" : "")
    }

    private func mark(_ own: PlacementState) -> String {
        switch own.phase {
        case .soaked: style.green("+")
        case .failed, .rolledBack(.failed), .rolledBack(.unverified), .rolledBack(.refused): style.red("!")
        case .rolledBack(.verified): style.green("<")
        case .changing, .warmingUp, .soaking, .checked: style.cyan("*")
        case .rollbackPending, .rollingBack, .provingRollback: style.yellow("<")
        case .waiting: style.dim(".")
        case .retired: style.dim("-")
        }
    }

    private func tint(_ own: PlacementState, _ text: String) -> String {
        switch own.phase {
        case .failed, .rolledBack(.failed), .rolledBack(.unverified), .rolledBack(.refused): style.red(text)
        case .soaked, .rolledBack(.verified): style.green(text)
        case .changing, .warmingUp, .soaking, .checked, .rollbackPending, .rollingBack, .provingRollback:
            style.cyan(text)
        case .waiting, .retired: style.dim(text)
        }
    }

    private func observed(_ placement: Placement) -> String {
        let versions = Set((state.placements[placement]?.observed ?? [:]).values)
        return versions.count > 1 ? "mixed" : versions.first.map { TerminalText.escaped($0.rawValue) } ?? "-"
    }

    private func isDone(_ placement: Placement) -> Bool { state.placements[placement]?.phase == .soaked }

    // MARK: Hold

    private var holdLines: [String] {
        guard let record = state.boundaryRecord, let failure = state.holdingFailure else { return [] }
        let code = failure.problem.code
        var lines = [style.red(style.bold("held at \(record.stopped): \(code.rawValue)"))]
        if code.failureClass != .failed { lines += wrap("  class      ", code.failureClass.words) }
        let whom = failure.placement?.description ?? failure.host?.rawValue ?? failure.subject?.description ?? "the run"
        let answer = failure.resolution.map { "  (answered: \($0.words))" } ?? ""
        lines += wrap("  where      ", "\(whom): \(failure.problem.detail)\(answer)")
        if let item = failure.problem.item {
            lines += wrap(
                "  divergent  ",
                "\(item.surface) \(item.item): \(item.before ?? "(none)") -> \(item.after ?? "(gone)")  [\(item.verdict.rawValue)]"
            )
        }
        lines += wrap("  completed  ", record.completed?.description ?? "nothing")
        lines += wrap("  touched    ", names(record.touched))
        if !record.rolledBack.isEmpty { lines += wrap("  taken back ", names(record.rolledBack)) }
        lines += wrap("  untouched  ", names(record.untouched))
        if !record.inFlight.isEmpty {
            lines += wrap("  in flight  ", record.inFlight.map(\.intent.id.rawValue).joined(separator: ", "))
        }
        lines += wrap(
            "  in place   ",
            record.isSafeToVerifyInPlace ? "safe to verify in place" : "not safe to verify in place yet")
        let others = state.unresolvedFailures.filter { $0 != failure }
        for other in others.prefix(10) {
            let name = other.placement?.description ?? other.host?.rawValue ?? "the run"
            lines += wrap("  also       ", "\(name): \(other.problem.code.rawValue): \(other.problem.detail)")
        }
        return lines
    }

    private func names(_ placements: [Placement]) -> String {
        placements.isEmpty ? "none" : placements.map(\.description).joined(separator: ", ")
    }

    private func wrap(_ label: String, _ text: String) -> [String] {
        TerminalText.wrapped(
            label + TerminalText.escaped(text), to: width, indent: String(repeating: " ", count: label.count))
    }

    // MARK: Forms

    private func column(_ text: String, _ columns: Int) -> String {
        let clipped = TerminalText.clipped(TerminalText.escaped(text), to: columns)
        return clipped + String(repeating: " ", count: max(0, columns - TerminalText.width(clipped)) + 1)
    }

    private func bar(_ done: Int, _ total: Int, _ columns: Int) -> String {
        let filled = total == 0 ? 0 : done * columns / total
        return "[" + style.green(String(repeating: "#", count: filled))
            + String(repeating: "-", count: columns - filled) + "]"
    }

    private func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<100: "\(seconds)s"
        case ..<6_000: "\(seconds / 60)m"
        default: "\(seconds / 3_600)h"
        }
    }
}

extension FailureClass {
    /// As people read it.
    var words: String {
        switch self {
        case .timedOut: "timed out"
        case .failed, .unreachable, .refused, .interrupted, .inconclusive, .skipped: rawValue
        }
    }
}

extension Resolution {
    /// How a failure was answered, for people.
    var words: String {
        switch self {
        case .repairedByHand: "repaired by hand"
        case .rerunPassed: "rerun, proved"
        case .rolledBackVerified: "rolled back, verified"
        case .retired: "retired"
        case .checkedAgain: "checked again"
        case .settled: "settled"
        }
    }
}

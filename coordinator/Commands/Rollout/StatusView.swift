import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// A run for people: layers from top to bottom, one line per placement, the hold and the next commands. A layer with
/// thousands of placements is shown in counts, with lines only for those that failed or are in progress.
struct StatusView {
    let report: RunReport
    let now: WallTime
    let width: Int
    let style: Style
    let commandLines: CommandLines
    /// Who drives the run, or that it has no driver; nil if unknown.
    var driver: String?
    /// When the run last moved, if it is not at rest and has no driver.
    var undrivenSince: WallTime?
    /// Since when the current driver drives it; nil if unknown.
    var drivenSince: WallTime?

    var overview: RunOverview { report.overview }

    /// The columns that every line uses besides the host's name and its phase.
    var fixedColumns: Int { 15 + 3 * versionColumn }
    /// Whether there is room for the age of each version.
    private var hasAges: Bool { width >= 100 }
    private var versionColumn: Int { hasAges ? 14 : 8 }

    func lines() -> [TerminalText] {
        var lines = header
        for layer in report.layers { lines += layerLines(layer) }
        if overview.hold != nil { lines += [""] + holdLines }
        return showsNext ? lines + nextLines : lines
    }

    /// Whether a person has something to decide: nobody drives the run, or it waits for them.
    var showsNext: Bool {
        overview.isAtRest || driver == nil || overview.wait != nil || overview.openOverrides != nil
    }

    /// Only the boundary record and the next commands.
    var recoveryLines: [TerminalText] { holdLines + nextLines }

    private var everyHost: String { commandLines.line(.statusOfEveryHost(run: overview.run)) }

    var nextLines: [TerminalText] {
        let next = overview.next(at: now).filter { driver == nil || $0.command != .resume(run: overview.run) }
        guard !next.isEmpty else { return [] }
        return ["", style.bold("next, narrowest first")]
            + next.flatMap {
                ["  " + style.cyan("\(commandLines.line($0.command))"), "      " + style.dim("\($0.sentence)")]
            }
    }

    // MARK: Head

    var header: [TerminalText] {
        let done = report.layers.reduce(0) { $0 + self.done($1) }
        let total = report.layers.reduce(0) { $0 + $1.count }
        var lines = [
            style.bold("\(overview.run)") + "  \(overview.plan)  \(overview.version.from) -> \(overview.version.to)",
            statusWord + "  " + style.dim("at \(overview.boundary)"),
            "\(bar(done, total, 24))  \(done)/\(total) placements",
            "observed  \(fleetVersion)",
        ]
        if let undrivenSince {
            let since: TerminalText =
                "not driven since \(undrivenSince.rfc3339), \(age(since: undrivenSince)) ago; continue with"
            lines += [style.yellow(since), "  " + style.cyan("\(commandLines.line(.resume(run: overview.run)))")]
        }
        lines += approvalLines
        if let driver { lines += ("\(driver)" as TerminalText).wrapped(to: width).map(style.dim) }
        return lines
    }

    /// What the run waits for, and the overridden guardrails that nobody has acknowledged.
    private var approvalLines: [TerminalText] {
        var lines: [TerminalText] = []
        if let people = overview.signedBy {
            let names = people.isEmpty ? "nobody yet" : people.map(\.rawValue).joined(separator: ", ")
            lines += wrap("approved  ", "by \(names) (signed)")
        }
        if let wait = overview.wait {
            let point = wait.before.map { " before \($0)" } ?? ""
            let asked = wait.asked.isEmpty ? "nobody" : wait.asked.map(\.rawValue).joined(separator: ", ")
            lines += wrap(
                style.yellow("waits") + "     ",
                "for an approval\(point): asked \(asked) since \(wait.since.rfc3339), \(age(since: wait.since)) ago")
            lines += wrap("missing   ", wait.lacking)
        }
        for override in overview.openOverrides ?? [] {
            lines += wrap(
                style.red("override") + "  ",
                "\(override.owner) overrode the guardrails of \(override.scope) at \(override.at.rfc3339); no owner has acknowledged it"
            )
        }
        return lines
    }

    private var statusWord: TerminalText {
        let status = TerminalText(escaping: overview.status)
        return switch overview.tone {
        case .good: style.green(status)
        case .bad: style.red(status)
        case .attention: style.yellow(status)
        case .working: style.cyan(status)
        }
    }

    /// What the fleet was last seen running: one version, or the mix of versions.
    private var fleetVersion: TerminalText {
        var counts: [String: Int] = [:]
        for tally in report.layers.flatMap(\.tallies) { counts[word(for: tally.observed), default: 0] += tally.count }
        let seen = counts.filter { $0.key != "-" }
        guard seen.count > 1 else { return "\(seen.keys.first ?? "nothing yet")" }
        let parts = seen.sorted { $0.key < $1.key }.map { "\($0.key) x\($0.value)" }
        return style.yellow("mixed") + ": \(parts.joined(separator: ", "))"
    }

    // MARK: Layers

    private func layerLines(_ layer: RunReport.Layer) -> [TerminalText] {
        let done = done(layer)
        var lines = [
            "", style.bold("layer \(layer.name)") + "  \(bar(done, layer.count, 12))  \(done)/\(layer.count)",
        ]
        let unlisted = layer.count - layer.placements.count
        if unlisted > 0 { lines += tallyLines(layer) }
        if !layer.placements.isEmpty {
            let longest = layer.placements.map { $0.placement.host.rawValue.count }.max() ?? 0
            let names = max(4, min(longest, max(10, width - fixedColumns - 22)))
            let phases = max(9, min(22, width - fixedColumns - names))
            lines.append(
                style.dim(
                    "      " + column("host", names) + column("phase", phases) + column("for", 4)
                        + column(versionHeading("intended"), versionColumn)
                        + column(versionHeading("recorded"), versionColumn) + "\(versionHeading("observed"))"))
            lines += layer.placements.map { cell($0, layer, names, phases) }
        }
        if unlisted > 0 {
            let more: TerminalText =
                layer.placements.isEmpty ? "list each with" : "\(unlisted) more; list each with"
            lines += [style.dim("     \(more)"), "       " + style.cyan("\(everyHost)")]
        }
        return lines
    }

    /// How many placements are in each phase, in the order of the phases of a run.
    private func tallyLines(_ layer: RunReport.Layer) -> [TerminalText] {
        var lines: [(tally: PlacementTally, count: Int)] = []
        for tally in layer.tallies {
            if let last = lines.last, last.tally.phase == tally.phase, last.tally.failureClass == tally.failureClass {
                lines[lines.count - 1].count += tally.count
            } else {
                lines.append((tally, tally.count))
            }
        }
        return lines.map { tally, count in
            let phase = PlacementPhase(word: tally.phase)
            let number: TerminalText = "\(count)"
            let room = TerminalText(repeating: " ", count: 8 - number.width)
            let word = phaseWord(phase, tally.phase, tally.failureClass)
            return "   \(mark(phase)) \(room)\(number) " + tint(phase, "\(word)")
        }
    }

    func cell(_ own: PlacementOverview, _ layer: RunReport.Layer, _ names: Int, _ phases: Int)
        -> TerminalText
    {
        let phase = PlacementPhase(word: own.phase)
        let recorded = own.recordedVersion(of: layer.version)
        let seen = word(for: own.observed)
        let text: TerminalText =
            column("b\(own.batch + 1)", 3) + mark(phase) + " " + column(own.placement.host.rawValue, names)
        let middle =
            column(silence(of: own, phase, layer) ?? phaseWord(own, phase), phases)
            + column(age(since: own.phaseSince), 4)
        let versions =
            column(aged("\(layer.version.to)", overview.startedAt), versionColumn)
            + column(aged(recorded, own.recordedSince), versionColumn)
        let clipped = TerminalText(escaping: aged(seen, own.observedAt)).clipped(to: versionColumn)
        return text + tint(phase, middle) + versions
            + (seen == recorded || seen == "-" ? clipped : style.yellow(clipped))
    }

    private func versionHeading(_ word: String) -> String { hasAges ? "\(word), age" : word }

    private func aged(_ version: String, _ time: WallTime?) -> String {
        guard hasAges, let time else { return version }
        return "\(version) \(age(since: time))"
    }

    private func age(since time: WallTime) -> String { age(max(0, now.milliseconds(since: time) / 1_000)) }

    private func phaseWord(_ own: PlacementOverview, _ phase: PlacementPhase?) -> String {
        phaseWord(phase, own.phase, own.failureClass)
            + (phase == .waiting && own.attempt > 1 ? " (try \(own.attempt))" : "")
            + (own.isRepairedByHand ? " (by hand)" : own.isAdopted ? " (adopted)" : "")
    }

    /// For how long a watched placement has not answered, if that is longer than a check may take.
    private func silence(of own: PlacementOverview, _ phase: PlacementPhase?, _ layer: RunReport.Layer) -> String? {
        guard let limit = layer.answersWithinSeconds, let drivenSince, phase?.isWatched == true,
            overview.isSampling == true || phase == .provingRollback
        else { return nil }
        let heard = [own.phaseSince, drivenSince, own.observedAt ?? drivenSince].max() ?? drivenSince
        let seconds = now.milliseconds(since: heard) / 1_000
        return seconds > Int64(limit) ? "no answer for \(seconds) s" : nil
    }

    /// - Parameter word: the ledger's word for the phase, for a phase that this build does not know.
    func phaseWord(_ phase: PlacementPhase?, _ word: String, _ failureClass: String?) -> String {
        phase?.words(failureClass.flatMap(FailureClass.init), isHeld: overview.isHeld) ?? word
    }

    private func mark(_ phase: PlacementPhase?) -> TerminalText {
        switch phase {
        case .soaked: style.green("+")
        case .failed, .rolledBack(.failed), .rolledBack(.unverified), .rolledBack(.refused): style.red("!")
        case .rolledBack(.verified): style.green("<")
        case .changing, .warmingUp, .soaking, .checked: style.cyan("*")
        case .rollbackPending, .rollingBack, .provingRollback: style.yellow("<")
        case .waiting: style.dim(".")
        case .retired, nil: style.dim("-")
        }
    }

    func tint(_ phase: PlacementPhase?, _ text: TerminalText) -> TerminalText {
        switch phase {
        case .failed, .rolledBack(.failed), .rolledBack(.unverified), .rolledBack(.refused): style.red(text)
        case .soaked, .rolledBack(.verified): style.green(text)
        case .changing, .warmingUp, .soaking, .checked, .rollbackPending, .rollingBack, .provingRollback:
            style.cyan(text)
        case .waiting, .retired, nil: style.dim(text)
        }
    }

    private func word(for observed: [ComponentName: Version]) -> String {
        let versions = Set(observed.values)
        return versions.count > 1 ? "mixed" : versions.first?.rawValue ?? "-"
    }

    func done(_ layer: RunReport.Layer) -> Int {
        layer.tallies.reduce(0) { $0 + ($1.phase == PlacementPhase.soaked.word ? $1.count : 0) }
    }

    // MARK: Hold

    var holdLines: [TerminalText] {
        guard let hold = overview.hold else { return [] }
        var lines = [style.red(style.bold("held at \(hold.boundary): \(hold.code.rawValue)"))]
        if hold.code.failureClass != .failed { lines += wrap("  class      ", hold.code.failureClass.words) }
        let answer = hold.answer.map { "  (answered: \($0))" } ?? ""
        lines += wrap("  where      ", "\(hold.subject): \(hold.detail)\(answer)")
        if let recheck = hold.recheck { lines += wrap("  rechecked  ", recheck) }
        for (index, line) in (hold.output ?? []).enumerated() {
            lines += wrap(index == 0 ? "  printed    " : "             ", line)
        }
        if let item = hold.divergent {
            lines += wrap(
                "  divergent  ",
                "\(item.surface) \(item.item): \(item.before ?? "(none)") -> \(item.after ?? "(gone)")  [\(item.verdict.rawValue)]"
            )
        }
        lines += wrap("  completed  ", hold.completed ?? "nothing")
        lines += wrap("  touched    ", names(hold.touched))
        if hold.rolledBack.count > 0 { lines += wrap("  taken back ", names(hold.rolledBack)) }
        lines += wrap("  untouched  ", names(hold.untouched))
        if !hold.inFlight.isEmpty {
            lines += wrap("  in flight  ", hold.inFlight.map(\.rawValue).joined(separator: ", "))
        }
        lines += wrap(
            "  in place   ",
            BoundaryDocument.inPlaceWords(hold.isSafeToVerifyInPlace))
        var said = SaidOnce()
        _ = said.words(hold.detail, of: hold.subject)
        for other in hold.further.first {
            let detail = said.words(other.detail, of: other.subject)
            lines += wrap("  also       ", "\(other.subject): \(other.code.rawValue): \(detail)")
        }
        if hold.further.rest > 0 {
            lines += wrap(
                "  also       ",
                "\(hold.further.rest) more; list them with: \(commandLines.line(.showBoundary(run: overview.run)))")
        }
        return lines
    }

    private func names(_ placements: Shortlist<Placement>) -> String {
        let named = placements.first.map(\.description).joined(separator: ", ")
        return placements.count == 0 ? "none" : placements.rest > 0 ? "\(named) and \(placements.rest) more" : named
    }

    private func wrap(_ label: TerminalText, _ text: String) -> [TerminalText] {
        (label + TerminalText(escaping: text)).wrapped(to: width, indent: label.width)
    }

    // MARK: Forms

    private func column(_ text: String, _ columns: Int) -> TerminalText {
        TerminalText(escaping: text).clipped(to: columns).padded(to: columns) + " "
    }

    func bar(_ done: Int, _ total: Int, _ columns: Int) -> TerminalText {
        let filled = total == 0 ? 0 : done * columns / total
        return "[" + style.green(TerminalText(repeating: "#", count: filled))
            + TerminalText(repeating: "-", count: columns - filled) + "]"
    }

    private func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<100: "\(seconds)s"
        case ..<6_000: "\(seconds / 60)m"
        default: "\(seconds / 3_600)h"
        }
    }
}

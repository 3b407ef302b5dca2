import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RunViews
import SafeText
import UpgradeDomain

struct StatusCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the state of a run: versions, the hold, and the next commands.",
        discussion: "Example: lockflight status")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Flag(name: .long, help: "List every host, even in large layers.") var all = false

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        if let quarantine = try await control.ledger.quarantine(of: control.run) {
            return quarantined(quarantine, context)
        }
        // Read before the events: once a driver is gone, everything that it recorded can be read.
        let lease = try await control.ledger.lease(of: control.run)
        let isDriven = lease?.isHeld == true
        let report = try await control.report(
            placementsPerLayer: all || context.isJSON ? nil : RunReport.placementsPerLayer)
        let isStranded = !isDriven && !report.overview.isAtRest
        let undrivenSince = isStranded ? try await control.ledger.lastDrivenAt(control.run) : nil
        let view = StatusView(
            report: report, now: Context.clock.wall(), width: context.width, style: context.style,
            commandLines: context.commandLines,
            driver: isDriven ? try await control.driverSentence() : nil, undrivenSince: undrivenSince,
            drivenSince: isDriven ? lease?.acquiredAt : nil)
        var document = RunDocument(report, at: Context.clock.wall(), context.commandLines)
        document.notDrivenSinceMilliseconds = undrivenSince?.milliseconds
        return CommandResult(
            lines: view.lines(), document: document,
            remarks: isDriven || isStranded ? [] : ["\(try await control.driverSentence())"])
    }

    private func quarantined(_ quarantine: Quarantine, _ context: Context) -> CommandResult {
        let run = quarantine.run
        var lines: [TerminalText] = [
            "\(run)  \(context.style.yellow("quarantined")) by \(quarantine.by) at \(quarantine.at.rfc3339): \(quarantine.reason)",
            "its record can not be read and is kept unchanged; it does not say what its hosts run",
        ]
        let groups = [
            ("still with the run", quarantine.claimed), ("free, asked", quarantine.settled),
            ("free, abandoned", quarantine.abandoned),
        ]
        for (words, hosts) in groups where !hosts.isEmpty {
            lines.append("\(words): \(hosts.map(\.rawValue).joined(separator: ", "))")
        }
        let isDone = quarantine.claimed.isEmpty
        return CommandResult(
            lines: lines, document: QuarantineDocument(quarantine),
            next: isDone ? [] : [.quarantine(run: run, abandoned: [])])
    }
}

/// A quarantined run in JSON, in place of the run document.
struct QuarantineDocument: Encodable {
    var status = "quarantined"
    var quarantine: Quarantine

    init(_ quarantine: Quarantine) { self.quarantine = quarantine }
}

import ArgumentParser
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence", abstract: "What was seen on the hosts, and what changed.",
        discussion: "Example: lockflight evidence diff --host core-2",
        subcommands: [
            EvidenceTry.self, EvidenceShow.self, EvidenceDiff.self, EvidenceExport.self, EvidenceVerify.self,
        ])
}

struct EvidenceShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "The last capture of a host, surface by surface.",
        discussion: "Example: lockflight evidence show --host core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "The host.") var host: String
    @Flag(name: .long, help: "Print the raw answers too.") var raw = false

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let state = try await control.state()
        var lines: [TerminalText] = []
        var captures: [Capture] = []
        for placement in try state.known(host) {
            guard let capture = state.placements[placement]?.latest else { continue }
            captures.append(capture)
            lines += [context.style.bold("\(placement)") + "  taken \(capture.takenAt.rfc3339)"]
            for reading in capture.surfaces {
                lines.append("  \(reading.sentence)")
                lines += reading.items.map { "      \($0.key)  \($0.value)  \($0.health.rawValue)" }
                if raw, let digest = reading.rawDigest, let bytes = try await control.ledger.blob(digest) {
                    lines += String(decoding: bytes, as: UTF8.self).lines.map { "      | \($0)" }
                }
            }
        }
        if captures.isEmpty { lines = ["no evidence of \(host) yet"] }
        return CommandResult(lines: lines, document: captures)
    }
}

struct EvidenceDiff: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "A host's last capture beside what it is judged by, item by item.",
        discussion: "Example: lockflight evidence diff --host core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Only this host.") var host: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let state = try await context.control(target, readOnly: true).state()
        let placements = try host.map { try state.known($0) } ?? state.orderedPlacements
        var rows: [[TerminalText]] = []
        var documents: [ComparisonDocument] = []
        for placement in placements {
            guard let comparison = state.comparison(of: placement) else { continue }
            documents.append(ComparisonDocument(comparison))
            for item in comparison.items {
                let cells = (["\(placement)"] + item.cells).map(TerminalText.init(escaping:))
                rows.append(cells.dropLast() + cells.suffix(1).map { tint($0, item, context.style) })
            }
        }
        let table = TextTable(headers: ["PLACEMENT", "SURFACE", "ITEM", "BEFORE", "AFTER", "VERDICT"], rows: rows)
        return CommandResult(lines: table.lines(width: context.width, style: context.style), document: documents)
    }

    private func tint(_ words: TerminalText, _ item: ComparedItem, _ style: Style) -> TerminalText {
        if item.isDivergent { return style.red(words) }
        return item.verdict == .same ? style.dim(words) : style.green(words)
    }
}

extension RolloutState {
    /// The placements of a host, or an error that names the hosts there are.
    func known(_ host: String) throws -> [Placement] {
        let found = placements(of: HostName(host))
        guard !found.isEmpty else {
            throw CommandError(
                .refused, "\(host) takes no part in \(definition.run)", next: .status(run: definition.run))
        }
        return found
    }
}

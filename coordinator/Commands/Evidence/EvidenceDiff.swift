import ArgumentParser
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct EvidenceDiff: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Compare a host's last capture with its baseline, item by item.",
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

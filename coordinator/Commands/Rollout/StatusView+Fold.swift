import Ledger
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// A run in the lines that are available: failed and active placements are listed first, the rest is counted.
extension StatusView {
    /// With fewer rows than this, less of the header is shown.
    private static let tightRows = 14

    /// The view, folded if it would have more lines than `rows`.
    func lines(within rows: Int) -> [TerminalText] {
        let whole = lines()
        guard whole.count > rows else { return whole }
        let isTight = rows < StatusView.tightRows
        let head = Array(header.prefix(isTight ? min(rows, 3) : rows))
        var left = rows - head.count
        let hold = holdLines
        // Where and why the run is held comes before any placement.
        let firstHold = Array(hold.prefix(min(left, isTight ? 3 : 5)))
        left -= firstHold.count
        let layers = foldedLayers(within: left)
        left -= layers.count
        let cells = pressingCells(of: layers.compactMap(\.layer), within: left)
        left -= cells.reduce(0) { $0 + $1.lines.count }
        let restOfHold = Array(hold.dropFirst(firstHold.count).prefix(left))
        left -= restOfHold.count
        var lines = head
        for line in layers {
            lines.append(line.text)
            for own in cells where own.layer != nil && own.layer == line.layer?.name { lines += own.lines }
        }
        for own in cells where own.layer == nil { lines += own.lines }
        lines += firstHold + restOfHold
        if showsNext { lines += nextLines.prefix(left) }
        return lines
    }

    /// A line for one layer, or for several that have not started or are done.
    private struct LayerLine {
        var layer: RunReport.Layer?
        var text: TerminalText
    }

    private func foldedLayers(within rows: Int) -> [LayerLine] {
        let all = report.layers.map { LayerLine(layer: $0, text: summary(of: $0)) }
        guard all.count > rows else { return all }
        let busy = all.filter { line in line.layer.map(isBusy) ?? false }
        guard rows > 0 else { return [] }
        let shown = busy.prefix(rows - 1)
        let rest: TerminalText = "\(counted(all.count - shown.count, "layer")) not shown"
        return Array(shown) + [LayerLine(layer: nil, text: style.dim(rest))]
    }

    /// Whether a layer has placements that failed or are in progress.
    private func isBusy(_ layer: RunReport.Layer) -> Bool {
        layer.tallies.contains(where: isPressing)
    }

    private func isPressing(_ tally: PlacementTally) -> Bool { PlacementPhase(word: tally.phase)?.isPressing ?? true }

    /// `layer core  [##--]  1/50  1 failed, 2 warming up, 47 waiting`
    private func summary(of layer: RunReport.Layer) -> TerminalText {
        let done = done(layer)
        var counts: [(word: String, isPressing: Bool, count: Int)] = []
        for tally in layer.tallies {
            let phase = PlacementPhase(word: tally.phase)
            let word = phaseWord(phase, tally.phase, tally.failureClass)
            if let index = counts.firstIndex(where: { $0.word == word }) {
                counts[index].count += tally.count
            } else {
                counts.append((word, phase?.isPressing ?? true, tally.count))
            }
        }
        let words = (counts.filter(\.isPressing) + counts.filter { !$0.isPressing }).map { "\($0.count) \($0.word)" }
        return style.bold("layer \(layer.name)") + "  \(bar(done, layer.count, 12))  \(done)/\(layer.count)  "
            + "\(words.joined(separator: ", "))"
    }

    /// Placements that failed or are in progress, one per line under their layers; if not all fit, how many more there
    /// are.
    private func pressingCells(
        of layers: [RunReport.Layer], within rows: Int
    ) -> [(layer: LayerName?, lines: [TerminalText])] {
        let pressing = layers.map { layer in (layer, layer.placements.filter(\.isPressing)) }
        // A report lists a limited number of placements per layer; its tallies count all of them.
        let count = layers.flatMap(\.tallies).reduce(0) { $0 + (isPressing($1) ? $1.count : 0) }
        guard rows > 0, count > 0 else { return [] }
        var left = count > rows ? rows - 1 : rows
        let unshown = count - min(left, pressing.reduce(0) { $0 + $1.1.count })
        let longest = pressing.flatMap(\.1).map { $0.placement.host.rawValue.utf8.count }.max() ?? 0
        let names = max(4, min(longest, max(10, width - fixedColumns - 22)))
        let phases = max(9, min(22, width - fixedColumns - names))
        var cells: [(layer: LayerName?, lines: [TerminalText])] = []
        for (layer, own) in pressing {
            let shown = own.prefix(left)
            left -= shown.count
            cells.append((layer.name, shown.map { cell($0, layer, names, phases) }))
        }
        if unshown > 0 { cells.append((nil, [style.dim("     \(unshown) more have failed or are in progress")])) }
        return cells
    }
}

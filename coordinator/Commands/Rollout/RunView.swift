import CoordinatorRuntime
import Foundation
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

/// Shows a run in progress: in place on a terminal, as plain lines in a pipe, not at all for `--json`.
final class RunView: @unchecked Sendable {
    private let context: Context
    private let driver: String?
    private let lock = NSLock()
    private var region = LiveRegion()
    private var narrator: RunNarrator
    private var last: RolloutState?
    private let begun = Context.clock.wall()

    /// - Parameter host: the only host that is reported in plain lines; nil for every host.
    init(_ context: Context, driver: String?, host: HostName? = nil) {
        self.context = context
        self.driver = driver
        narrator = RunNarrator(of: host)
    }

    func show(_ state: RolloutState) {
        lock.withLock {
            last = state
            draw()
        }
    }

    func redraw() { lock.withLock { draw() } }

    /// Keeps the times in the view current.
    func tick() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            if context.isTerminal { redraw() }
        }
    }

    func remark(_ text: TerminalText) {
        lock.withLock {
            region = LiveRegion()
            Renderer.writeError([text])
        }
    }

    /// Shows the output of an operation until it has ended, from a position on.
    ///
    /// - Returns: whether all of it was shown; where its host could not be reached any more, the position is behind what was.
    func follow(
        _ intent: OperationIntent, on host: UpgradeDomain.Host, from position: inout Int64, with reader: OutputReader
    ) async -> Bool {
        guard !context.isJSON else { return true }
        if position == 0 { Renderer.writeOutput(["\(Context.clock.wall().rfc3339) \(intent.sentence)"]) }
        do throws(ContactFailure) {
            let found = try await reader.read(intent.id, on: host, from: &position, follows: true) { lines in
                Renderer.writeOutput(lines.map { "    | " + $0 })
            }
            guard let record = found.record else { return true }
            Renderer.writeOutput([
                "\(Context.clock.wall().rfc3339) \(intent.sentence): \(record.outcome.sentence)"
            ])
            return true
        } catch {
            return false
        }
    }

    private func draw() {
        guard let state = last, !context.isJSON else { return }
        if context.isTerminal {
            var size = Renderer.terminalSize
            var lines = lines(of: state, in: size)
            // Lines that were laid out for another size would wrap into more rows than are redrawn later.
            while case let now = Renderer.terminalSize, now != size {
                size = now
                lines = self.lines(of: state, in: size)
            }
            Renderer.write(&region, lines, in: size)
        } else {
            Renderer.writeOutput(narrator.lines(for: state))
        }
    }

    private func lines(of state: RolloutState, in size: TerminalSize) -> [TerminalText] {
        view(of: state, driver, width: max(40, size.columns)).lines(within: max(1, size.rows - 1))
    }

    private func view(of state: RolloutState, _ driver: String?, width: Int) -> StatusView {
        StatusView(
            report: RunReport(state, placementsPerLayer: RunReport.placementsPerLayer), now: Context.clock.wall(),
            width: width, style: context.style, commandLines: context.commandLines, driver: driver,
            drivenSince: self.driver == nil ? nil : begun)
    }

    /// The final view; on a terminal it replaces the live one.
    func finish(_ state: RolloutState, status: ExitStatus) -> CommandResult {
        lock.withLock {
            last = nil
            let size = Renderer.terminalSize
            let final = view(of: state, nil, width: context.isTerminal ? max(40, size.columns) : context.width).lines()
            if context.isTerminal { Renderer.write(&region, [], in: size) }
            return CommandResult(
                lines: final, document: RunDocument(state, at: Context.clock.wall(), context.commandLines),
                status: status)
        }
    }
}

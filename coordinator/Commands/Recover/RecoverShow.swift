import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RecoverShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the boundary record: where the run stopped, why, what was touched, the options.",
        discussion: """
            With --output it is written to a file that can be read without the ledger and without this program. The file
            has the record, the evidence before and after, and the approvals.
            Example: lockflight recover show r-7k3fq2 --output boundary.md
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .shortAndLong, help: "Write it to this file.", completion: .file()) var output: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let state = try await control.state()
        guard let record = state.boundaryRecord else {
            throw CommandError(
                .refused, "\(control.run) is \(state.status); it is not held at a boundary",
                next: .status(run: control.run))
        }
        let document = BoundaryDocument(record, of: state, at: Context.clock.wall(), context.commandLines)
        var remarks: [TerminalText] = []
        if let output {
            try context.write(document.page.written, to: output, replacing: true)
            remarks.append("written to \(output)")
        }
        var report = RunReport(state)
        report.overview.hold?.further = RunOverview.Hold.further(in: state, atMost: .max)
        let view = StatusView(
            report: report, now: Context.clock.wall(), width: context.width, style: context.style,
            commandLines: context.commandLines, driver: nil)
        return CommandResult(lines: view.recoveryLines, document: document, status: state.exitStatus, remarks: remarks)
    }
}

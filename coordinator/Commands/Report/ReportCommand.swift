import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct ReportCommand: LockflightCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable { case markdown, html }

    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Write the change record of a run, for a change board.",
        discussion: """
            The record has the approvals, the timeline, versions, differences from the baseline, failures and their
            answers.
            Example: lockflight report r-7k3fq2 --format html --output r-7k3fq2.html
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "markdown or html.") var format = Format.markdown
    @Option(name: .shortAndLong, help: "Write it to this file.", completion: .file()) var output: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let events = try await control.log.events(of: control.run, after: 0)
        guard let record = ChangeRecord(events) else { throw RuntimeError.noSuchRun(control.run) }
        let page =
            switch format {
            case .markdown: record.markdown.written
            case .html: record.html.written
            }
        guard let output else {
            return CommandResult(
                lines: page.lines.map { TerminalText(escaping: String($0)) },
                document: RunConclusions(events))
        }
        try context.write(page, to: output, replacing: true)
        return CommandResult(lines: ["written to \(output)"], document: RunConclusions(events))
    }
}

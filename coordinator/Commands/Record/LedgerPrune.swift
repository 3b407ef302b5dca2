import ArgumentParser
import CoordinatorRuntime
import Ledger
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct LedgerPrune: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Delete the raw evidence of runs that have ended.",
        discussion: """
            Only for runs that can not change any more. The events stay, with everything that was judged. The chain gets
            one more event: who pruned, why and how much. The file does not shrink: the space is reused.
            Example: lockflight ledger prune r-7k3fq2 --reason 'older than a year'
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "The reason; recorded in the run's chain. If you leave it out, you are asked.")
    var reason: String?
    @Argument(help: "The runs.") var runs: [String]

    func validate() throws {
        if runs.isEmpty { throw ValidationError("name at least one run") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        var controls: [RunControl] = []
        for run in runs { controls.append(try await RunControl(context, ledger, run: run)) }
        let reason = try context.reason(
            reason, for: "to delete the raw evidence of \(runs.joined(separator: ", "))")
        var document: [RunID: EvidencePruning] = [:]
        var lines: [TerminalText] = []
        for control in controls {
            let pruning = try await ledger.pruneEvidence(
                of: control.run, by: context.user, reason: reason, at: Context.clock.wall(),
                followedBy: OverviewKeeper(at: try await control.state()))
            document[control.run] = pruning
            lines.append(
                "\(control.run)  \(counted(pruning.answers, "answer")), \(counted(pruning.bytes, "byte")) deleted; its events stay"
            )
        }
        return CommandResult(lines: lines, document: document)
    }
}

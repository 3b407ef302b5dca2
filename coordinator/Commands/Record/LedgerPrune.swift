import ArgumentParser
import CoordinatorRuntime
import Ledger
import UpgradeDomain

struct LedgerPrune: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Delete the raw evidence of runs that never change again.",
        discussion: """
            Only finalized and superseded runs. The events stay, with everything that was judged, and the chain goes on
            with one that says who pruned, why and how much. The file does not shrink: the room is used again.
            Example: lockflight ledger prune r-7k3fq2 --reason 'older than a year'
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "Why; recorded in the run's chain.") var reason: String
    @Argument(help: "The runs.") var runs: [String]

    func validate() throws {
        if runs.isEmpty { throw ValidationError("name at least one run") }
        if reason.isEmpty { throw ValidationError("say why") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try context.ledger()
        var document: [RunID: EvidencePruning] = [:]
        var lines: [String] = []
        for run in try runs.map({ try ledger.run(matching: $0).id }) {
            let pruning = try ledger.pruneEvidence(
                of: run, by: context.user, reason: reason, at: Context.clock.wall())
            document[run] = pruning
            lines.append("\(run)  \(pruning.answers) answers, \(pruning.bytes) bytes deleted; its events stay")
        }
        return CommandResult(lines: lines, document: document)
    }
}

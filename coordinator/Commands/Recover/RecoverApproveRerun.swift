import ArgumentParser
import CoordinatorRuntime
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverApproveRerun: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun", abstract: "Approve a rerun of a host's failed step.",
        discussion: "Example: lockflight recover approve rerun core-2 --as ana")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The host.") var host: String
    @Option(name: .long, help: "The first step that may run again.") var from: String?
    @Option(
        name: .customLong("as"), help: "Who approves it: an owner, or where a policy rules the run, somebody on call.")
    var owner: String
    @OptionGroup var signing: RecoverySigning
    @Option(name: .long, help: "The reason; recorded with a claim.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).permit(
            .rerun(host: HostName(host), signedOffBy: nil, from: from.map { StepName($0) }), by: Owner(owner),
            key: signing.key, hours: signing.hours, reason: reason)
    }
}

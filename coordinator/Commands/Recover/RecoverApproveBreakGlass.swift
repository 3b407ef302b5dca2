import ArgumentParser
import RolloutEngine
import UpgradeDomain

struct RecoverApproveBreakGlass: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "break-glass", abstract: "Permit a rollback that ignores the guardrails, for an hour at most.",
        discussion: """
            It is signed with a key that is for break-glass only. The rollback is that of the plan, without its guardrails,
            and status and report repeat it until an owner has acknowledged it.
            Example: lockflight recover approve break-glass \\
              --host core-2 --as ana --key break-glass-key
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @OptionGroup var chosen: RollbackScopeOptions
    @Option(name: .customLong("as"), help: "Who permits it: an owner, or somebody on call, with a key for break-glass.")
    var owner: String
    @OptionGroup var signing: RecoverySigning

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).permit(
            .rollback(scope: chosen.scope, breakGlass: Owner(owner)), by: Owner(owner), key: signing.key,
            hours: signing.hours, reason: nil)
    }
}

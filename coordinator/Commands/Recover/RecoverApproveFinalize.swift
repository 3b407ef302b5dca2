import ArgumentParser
import RolloutEngine
import UpgradeDomain

struct RecoverApproveFinalize: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "finalize", abstract: "Approve the end of the rollback window.",
        discussion: """
            Only a run that a policy rules asks for it beforehand.
            Example: lockflight recover approve finalize --as ana
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Option(name: .customLong("as"), help: "The owner who approves.") var owner: String
    @OptionGroup var signing: RecoverySigning

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).permit(
            .finalize, by: Owner(owner), key: signing.key,
            hours: signing.hours, reason: nil)
    }
}

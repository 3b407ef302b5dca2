import ArgumentParser
import RolloutEngine
import UpgradeDomain

struct RecoverApproveRetire: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Approve that a host is taken out of a run.",
        discussion: """
            Only a run that a policy rules asks for it beforehand.
            Example: lockflight recover approve retire core-2 --as ana
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The host.") var host: String
    @Option(name: .customLong("as"), help: "The owner who approves.") var owner: String
    @OptionGroup var signing: RecoverySigning

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).permit(
            .retire(host: HostName(host), owner: Owner(owner)), by: Owner(owner), key: signing.key,
            hours: signing.hours, reason: nil)
    }
}

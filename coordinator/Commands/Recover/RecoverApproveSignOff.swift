import ArgumentParser
import RolloutEngine
import UpgradeDomain

struct RecoverApproveSignOff: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign-off", abstract: "Approve that a rollback continues although hosts are not verified.",
        discussion: """
            Only a run that a policy rules asks for it beforehand.
            Example: lockflight recover approve sign-off core-2 --as ana
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "Hosts that the rollback left unverified.") var hosts: [String]
    @Option(
        name: .customLong("as"), help: "Who approves it: an owner, or where a policy rules the run, somebody on call.")
    var owner: String
    @OptionGroup var signing: RecoverySigning

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).permit(
            .signOff(hosts: hosts.map { HostName($0) }, owner: Owner(owner)), by: Owner(owner), key: signing.key,
            hours: signing.hours, reason: nil)
    }
}

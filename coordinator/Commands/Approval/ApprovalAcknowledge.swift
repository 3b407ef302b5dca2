import ArgumentParser
import UpgradeDomain

struct ApprovalAcknowledge: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "acknowledge", abstract: "Say that an owner has seen that guardrails were overridden.",
        discussion: """
            A rollback that ignored guardrails is repeated by status and report until an owner of what it rolled back has
            acknowledged it. It changes nothing else.
            Example: lockflight approval acknowledge r-7k3fq2 --as ana
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .customLong("as"), help: "The owner who has seen it.") var owner: String
    @OptionGroup var signing: KeyOption

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target).acknowledge(by: Owner(owner), key: signing.key)
    }
}

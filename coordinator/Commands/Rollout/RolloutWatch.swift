import ArgumentParser

struct RolloutWatch: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follow a run that another process drives.",
        discussion: "Example: lockflight rollout watch r-7k3fq2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument

    func perform(_ context: Context) async throws -> CommandResult {
        try await context.control(target, readOnly: true).watch()
    }
}

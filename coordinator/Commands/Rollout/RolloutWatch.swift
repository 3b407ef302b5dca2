import ArgumentParser
import UpgradeDomain

struct RolloutWatch: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follow a run that another process drives.",
        discussion: """
            With --host only that host is shown, in plain lines, together with the live output of its steps.
            Example: lockflight rollout watch r-7k3fq2 --host core-2
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Follow only this host and its output.") var host: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        guard let host else { return try await control.watch() }
        return try await control.watch(host: HostName(host))
    }
}

import ArgumentParser
import UpgradeDomain

struct RolloutWatch: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Follow a run that another process drives.",
        discussion: """
            With --host only what concerns that host is said, in plain lines, and what its steps print as they print it.
            Example: lockflight rollout watch r-7k3fq2 --host core-2
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .long, help: "Follow this host alone, and what is printed there.") var host: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        guard let host else { return try await control.watch() }
        return try await control.watch(host: HostName(host))
    }
}

import ArgumentParser
import CoordinatorRuntime
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverRecheck: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "recheck", abstract: "After a repair by hand: capture and compare all evidence of a host again.",
        discussion: "Example: lockflight recover recheck core-2")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The repaired host.") var host: String

    func perform(_ context: Context) async throws -> CommandResult {
        let host = HostName(host)
        return try await context.control(target).requestAndFollow(
            .recheck(host: host), outcome: { RunControl.Outcome(recoveryOf: host, in: $0) })
    }
}

import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct RecoverSignOff: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign-off", abstract: "Let a rollback continue to lower layers although hosts are not verified.",
        discussion: "Example: lockflight recover sign-off core-2 --as ana --reason 'machine is lost'")

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "Hosts that the rollback left unverified.") var hosts: [String]
    @Option(name: .customLong("as"), help: "The owner who signs off.") var owner: String
    @OptionGroup var signing: KeyOption
    @Option(name: .long, help: "The reason; recorded. If you leave it out, you are asked.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let action = RequestedAction.signOff(hosts: hosts.map { HostName($0) }, owner: Owner(owner))
        let control = try await context.control(target)
        return try await control.requestAndFollow(
            action, reason: reason, needsReason: "to go past \(hosts.joined(separator: ", ")) as \(owner)",
            decidedBy: [Owner(owner)], key: signing.key)
    }
}

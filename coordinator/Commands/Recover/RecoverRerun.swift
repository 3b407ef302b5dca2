import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverRerun: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun", abstract: "Run the failed step of a host again, or steps whose verification failed.",
        discussion: """
            Without --from the failed step runs again; where every step has passed and its verification has not, the last one. \
            After a rerun that did not get to its last step, every step that it left.
            With --from every step from that one on runs again, one after the other.
            Only for steps that the plan declares idempotent, or with an owner's recorded sign-off; an owner approves it
            either way.
            Example: lockflight recover rerun core-2 --sign-off ana --reason 'disk was full'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The host.") var host: String
    @Option(name: .long, help: "The first step to run again; all that follow it run as well.") var from: String?
    @Option(name: .customLong("as"), help: "An owner who approves it, where nobody has yet.") var owner: String?
    @Option(name: .long, help: "The owner who signs it off: approves steps that are not declared idempotent.")
    var signOff: String?
    @Option(name: .long, help: "Why; recorded. Asked for where it is needed and left out.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let action = RequestedAction.rerun(
            host: HostName(host), signedOffBy: signOff.map { Owner($0) }, from: from.map { StepName($0) })
        return try await control.requestAndFollow(
            action, reason: reason,
            needsReason: signOff.map { owner in
                "to sign off \(from.map { "every step from \($0) on" } ?? "what runs again") of \(host) as \(owner)"
            },
            approvedBy: [owner].compactMap { $0.map { Owner($0) } },
            outcome: { RunControl.Outcome(recoveryOf: HostName(host), in: $0) })
    }
}

import ArgumentParser
import Ledger
import RolloutEngine
import RunViews
import UpgradeDomain

struct RecoverRerun: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun", abstract: "Run the failed step of a host again, or steps whose verification failed.",
        discussion: """
            Without --from, the failed step runs again. If every step passed but the verification failed, the last \
            step runs again. After a rerun that did not reach its last step, the remaining steps run.
            With --from, that step and every step after it run again, one after the other.
            The steps must be declared idempotent in the plan, or an owner must sign them off on the record. An owner
            must approve the rerun in either case.
            Example: lockflight recover rerun core-2 --sign-off ana --reason 'disk was full'
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunOption
    @Argument(help: "The host.") var host: String
    @Option(name: .long, help: "The first step to run again; all later steps run as well.") var from: String?
    @Option(name: .customLong("as"), help: "An owner who approves it, if it is not approved yet.") var owner: String?
    @Option(name: .long, help: "The owner who signs off steps that are not declared idempotent.")
    var signOff: String?
    @OptionGroup var signing: KeyOption
    @Option(name: .long, help: "The reason; recorded. If it is needed and you leave it out, you are asked.") var reason:
        String?

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target)
        let action = RequestedAction.rerun(
            host: HostName(host), signedOffBy: signOff.map { Owner($0) }, from: from.map { StepName($0) })
        return try await control.requestAndFollow(
            action, reason: reason,
            needsReason: signOff.map { owner in
                "to sign off \(from.map { "every step from \($0) on" } ?? "the steps that run again") of \(host) as \(owner)"
            },
            approvedBy: [owner].compactMap { $0.map { Owner($0) } },
            decidedBy: [signOff].compactMap { $0.map { Owner($0) } }, key: signing.key,
            outcome: { RunControl.Outcome(recoveryOf: HostName(host), in: $0) })
    }
}

import ArgumentParser
import RolloutEngine
import UpgradeDomain

struct RollbackCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Roll back one host, one layer or everything touched, and verify the result.",
        discussion: """
            The top layer goes first, and every selected host of a layer is attempted. The next lower layer waits until
            this one is verified or signed off. The result is compared with the state before the change.
            Example: lockflight rollback r-7k3fq2 --host core-2
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @OptionGroup var chosen: RollbackScopeOptions
    @Option(
        name: .customLong("as"), help: "An owner who approves it, if no approval covers it yet; repeat for several.")
    var owners: [String] = []
    @Option(name: .long, help: "The owner who overrides guardrails that refuse the rollback.")
    var breakGlass: String?
    @OptionGroup var signing: KeyOption
    @Option(name: .long, help: "The reason; recorded. If it is needed and you leave it out, you are asked.") var reason:
        String?

    func perform(_ context: Context) async throws -> CommandResult {
        let scope = chosen.scope
        let control = try await context.control(target)
        return try await control.requestAndFollow(
            .rollback(scope: scope, breakGlass: breakGlass.map { Owner($0) }), reason: reason,
            needsReason: breakGlass.map { "to override the guardrails as \($0)" },
            approvedBy: owners.map { Owner($0) }, decidedBy: [breakGlass].compactMap { $0.map { Owner($0) } },
            key: signing.key, outcome: outcome)
    }

    /// The outcome of the requested placements, independent of the rest of the run.
    private func outcome(_ state: RolloutState) -> RunControl.Outcome? {
        let members = state.campaign?.layers.joined().map { $0 } ?? []
        guard !members.isEmpty else { return nil }
        let isVerified = members.allSatisfy { state.placements[$0]?.phase == .rolledBack(.verified) }
        return RunControl.Outcome(status: isVerified ? .rolledBackVerified : .rolledBackNotVerified)
    }
}

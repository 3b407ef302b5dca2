import ArgumentParser
import RolloutEngine
import UpgradeDomain

struct RollbackCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Take one host, one layer or everything touched back, and prove it.",
        discussion: """
            Top layer first; every selected host of a layer is attempted; the next lower layer waits until this one is
            verified or signed off. The result is compared with the state before the change.
            Example: lockflight rollback r-7k3fq2 --host core-2
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @OptionGroup var chosen: RollbackScopeOptions
    @Option(
        name: .customLong("as"), help: "An owner who approves it, where no approval covers it yet; repeat for more.")
    var owners: [String] = []
    @Option(name: .long, help: "The owner who lets it go past guardrails that refuse it.")
    var breakGlass: String?
    @Option(name: .long, help: "Why; recorded. Asked for where it is needed and left out.") var reason: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let scope = chosen.scope
        let control = try await context.control(target)
        return try await control.requestAndFollow(
            .rollback(scope: scope, breakGlass: breakGlass.map { Owner($0) }), reason: reason,
            needsReason: breakGlass.map { "to override the guardrails as \($0)" },
            approvedBy: owners.map { Owner($0) }, outcome: outcome)
    }

    /// What became of the placements that were asked for, whatever the rest of the run is.
    private func outcome(_ state: RolloutState) -> RunControl.Outcome? {
        let members = state.campaign?.layers.joined().map { $0 } ?? []
        guard !members.isEmpty else { return nil }
        let isVerified = members.allSatisfy { state.placements[$0]?.phase == .rolledBack(.verified) }
        return RunControl.Outcome(status: isVerified ? .rolledBackVerified : .rolledBackNotVerified)
    }
}

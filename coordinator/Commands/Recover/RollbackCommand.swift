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
    @Option(name: .long, help: "Only this host, all its layers.") var host: String?
    @Option(name: .long, help: "Only this layer.") var layer: String?
    @Flag(name: .long, help: "Everything this run touched.") var all = false
    @Option(name: .long, help: "The owner who lets it go past guardrails that refuse it; needs --reason.")
    var breakGlass: String?
    @Option(name: .long, help: "Why; recorded.") var reason: String?

    func validate() throws {
        if breakGlass != nil, reason == nil { throw ValidationError("--break-glass needs --reason") }
        let chosen = (host == nil ? 0 : 1) + (layer == nil ? 0 : 1) + (all ? 1 : 0)
        guard chosen == 1 else { throw ValidationError("choose one of --host, --layer and --all") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let scope: RollbackScope =
            if let host { .host(name: HostName(host)) } else if let layer { .layer(name: LayerName(layer)) } else {
                .all
            }
        let control = try context.control(target)
        var result = try await control.requestAndFollow(
            .rollback(scope: scope, breakGlass: breakGlass.map { Owner($0) }), reason: reason)
        let state = try await control.state()
        if result.status != .detached, let status = outcome(of: scope, state) { result.status = status }
        return result
    }

    /// What became of the placements that were asked for, whatever the rest of the run is.
    private func outcome(of scope: RollbackScope, _ state: RolloutState) -> ExitStatus? {
        let members = state.campaign?.layers.joined().map { $0 } ?? []
        guard !members.isEmpty else { return nil }
        let isVerified = members.allSatisfy { state.placements[$0]?.phase == .rolledBack(.verified) }
        return isVerified ? .rolledBackVerified : .rolledBackNotVerified
    }
}

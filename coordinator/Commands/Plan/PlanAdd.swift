import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct PlanAdd: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Validate a plan file, store it and print its digest.",
        discussion: """
            The digest is the SHA-256 of the plan's canonical form. Key order and comments do not change it.
            A file without 'from' and 'to' serves for each pair of versions. Its name may contain ${to}.
            Example: lockflight plan add upgrade.yaml
            Example: lockflight plan add upgrade.yaml --from 1.4.0 --to 1.5.0
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The plan file.", completion: .file()) var file: String
    @OptionGroup var versions: VersionOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        let plan = try context.plan(in: file, over: inventory, versions, isStored: true)
        let digest = try await ledger.addPlan(plan, by: context.user, at: Context.clock.wall())
        return CommandResult(
            lines: ["\(plan.name)  \(digest)"], document: PlanDocument(digest, plan),
            next: [.showPlan(plan: digest.short)])
    }
}

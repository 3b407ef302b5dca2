import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import SafeText
import UpgradeDomain

struct PlanCheck: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validate a plan file against the inventory; store nothing.",
        discussion: "Example: lockflight plan check upgrade.yaml")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The plan file.", completion: .file()) var file: String
    @OptionGroup var versions: VersionOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let inventory = try await context.inventory(of: try context.existingLedger())
        let plan = try context.plan(in: file, over: inventory, versions)
        let digest = try Digest.canonical(of: plan)
        let sequence = PlanSequence(plan: plan, inventory: inventory, digest: digest, standing: nil)
        return CommandResult(
            lines: ["\(file) is a valid plan"] + sequence.lines(context), document: PlanDocument(digest, plan))
    }
}

/// A plan and its digest, as `--json` shows it.
struct PlanDocument: Encodable {
    var digest: Digest
    var name: String
    var plan: Plan
    var approvals: ApprovalStanding?

    init(_ digest: Digest, _ plan: Plan, approvals: ApprovalStanding? = nil) {
        self.digest = digest
        name = plan.name
        self.plan = plan
        self.approvals = approvals
    }
}

import ArgumentParser
import Ledger
import SafeText
import UpgradeDomain

struct PlanList: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the stored plans.", discussion: "Example: lockflight plan list")

    @OptionGroup var options: GlobalOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let plans = try await context.existingLedger().plans()
        let rows = plans.map { stored -> [TerminalText] in
            [
                "\(stored.digest.short)", "\(stored.plan.name)",
                "\(stored.plan.version.from) -> \(stored.plan.version.to)",
                "\(stored.addedAt.rfc3339)", "\(stored.plan.layers.map(\.name.rawValue).joined(separator: ", "))",
            ]
        }
        let table = TextTable(headers: ["DIGEST", "NAME", "VERSIONS", "ADDED", "LAYERS"], rows: rows)
        return CommandResult(
            lines: table.lines(width: context.width, style: context.style),
            document: plans.map { PlanDocument($0.digest, $0.plan) })
    }
}

import ArgumentParser
import CoordinatorRuntime
import Foundation
import Inventory
import Ledger
import OperatorCommands
import RunRecord
import SafeText
import UpgradeDomain

struct InitCommand: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a commented inventory and plan to start from.",
        discussion: """
            Edit both, then import the inventory. Existing files are never overwritten. Each time it says the next command,
            by what the ledger has.
            Example: lockflight init upgrades
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The folder, created if needed. (default: the current one)", completion: .directory)
    var folder: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let folder = folder ?? "."
        let files = StarterFile.allCases.map {
            (starter: $0, path: folder == "." ? $0.rawValue : "\(folder)/\($0.rawValue)")
        }
        let missing = files.filter { !FileManager.default.fileExists(atPath: $0.path) }
        if missing.isEmpty {
            return CommandResult(
                lines: files.map { "\($0.path) is there" }, document: [String](), next: [try await next(context, files)]
            )
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw CommandError(
                .failure, "\(folder) could not be written: \(error.localizedDescription)",
                consequence: "Nothing was written.", next: .program(words: ["ls", "-la", "--", folder]))
        }
        for (index, file) in missing.enumerated() {
            let done = missing[..<index].map { "\($0.path) was written. " }.joined()
            try context.write(
                file.starter.text, to: file.path, consequence: "\(done)Run the command again once there is room.")
        }
        return CommandResult(
            lines: missing.map { "wrote \($0.path)" }, document: missing.map(\.path),
            remarks: ["edit both: your hosts, and how they are upgraded"], next: [try await next(context, files)])
    }

    private typealias Written = (starter: StarterFile, path: String)

    /// What follows in the life of both files, by what the ledger has.
    private func next(_ context: Context, _ files: [Written]) async throws -> OperatorCommand {
        func path(_ starter: StarterFile) -> String? { files.first { $0.starter == starter }?.path }
        guard FileManager.default.fileExists(atPath: context.ledgerPath) else {
            return .importInventory(file: path(.inventory))
        }
        let ledger = try await context.existingLedger()
        guard let inventory = try await ledger.currentInventory() else {
            return .importInventory(file: path(.inventory))
        }
        if inventory.hosts.contains(where: \.hostKeys.isEmpty) { return .trustKeys(hosts: []) }
        guard let plan = try await ledger.plans().first else { return .addPlan(file: path(.plan), needsVersions: true) }
        if try await !ledger.runs().isEmpty { return .status(run: nil) }
        let standing = try await ledger.approvals(of: plan, over: inventory, at: Context.clock.wall()).standing
        let isApproved =
            standing.policy == nil
            ? try await ledger.approvals(ofPlansNamed: plan.plan.name).contains { $0.planDigest == plan.digest }
            : standing.isComplete
        return isApproved
            ? .start(plan: plan.digest.short, succeeds: nil) : .approvePlan(plan: plan.digest.short, owner: nil)
    }
}

import ArgumentParser
import Ledger
import RunViews
import SafeText
import UpgradeDomain

struct PlanDiff: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "How one stored plan differs from another.",
        discussion: """
            For an owner who approved the first and is asked for the second.
            Example: lockflight plan diff upgrade-1.5.0 upgrade-1.6.0
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A plan's name, digest, or the digest's first digits.") var first: String
    @Argument(help: "Another plan, in the same way.") var second: String

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let (old, new) = (try await ledger.plan(matching: first), try await ledger.plan(matching: second))
        let difference = try PlanDifference(from: old.plan, to: new.plan)
        let lines = difference.lines(context.style)
        return CommandResult(
            lines: lines.isEmpty ? ["\(old.digest.short) and \(new.digest.short) are the same plan"] : lines,
            document: Document(first: old.digest, second: new.digest, changes: difference.changes))
    }

    private struct Document: Encodable {
        var first: Digest
        var second: Digest
        var changes: [PlanDifference.Change]
    }
}

extension PlanDifference {
    /// One line for each change.
    func lines(_ style: Style) -> [TerminalText] {
        changes.map { change in
            switch (change.before, change.after) {
            case (let before?, let after?): "\(change.place): \(before) -> \(after)"
            case (nil, PlanDifference.added?): "\(style.green("+")) \(change.place)"
            case (PlanDifference.removed?, nil): "\(style.red("-")) \(change.place)"
            case (nil, let after?): "\(style.green("+")) \(change.place): \(after)"
            case (let before?, nil): "\(style.red("-")) \(change.place): \(before)"
            case (nil, nil): "\(change.place)"
            }
        }
    }
}

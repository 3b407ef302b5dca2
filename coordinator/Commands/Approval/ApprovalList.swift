import Approvals
import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct ApprovalList: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what was signed or is to be signed, and whether it counts.",
        discussion: """
            Example: lockflight approval list
            Example: lockflight approval list upgrade-1.5.0
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Only of this plan: its name, digest, or the digest's first digits.") var plan: String?
    @OptionGroup var target: RunOption

    func validate() throws {
        if plan != nil, target.run != nil { throw ValidationError("name a plan or a run, not both") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let digest: Digest? =
            if let plan { try await ledger.plan(matching: plan).digest } else { try await planOfRun(ledger) }
        let run = target.run == nil ? nil : try await ledger.run(matching: target.run ?? "").id
        let entries = try await ledger.statementBook(ofPlan: digest, at: Context.clock.wall()).entries
            .filter { run == nil || $0.statement.run == nil || $0.statement.run == run }
        var lines: [TerminalText] = []
        for entry in entries {
            let statement = entry.statement
            let people = entry.people.map(\.rawValue).joined(separator: ", ")
            lines.append(
                context.style.bold("\(statement.id.short)") + "  \(statement.planName): \(statement.words)"
                    + (statement.run.map { ", for \($0)" } ?? ""))
            lines.append("          \(people.isEmpty ? "by nobody" : entry.by(people)); it \(entry.standing.words)")
        }
        return CommandResult(
            lines: lines.isEmpty
                ? ["nothing was signed, and nothing is asked for"]
                : lines.flatMap { $0.wrapped(to: context.width, indent: 10) },
            document: entries.map { StatementListing($0) })
    }

    private func planOfRun(_ ledger: Ledger) async throws -> Digest? {
        guard let run = target.run else { return nil }
        return try await ledger.run(matching: run).planDigest
    }
}

extension StatementEntry {
    /// By whose word, for people.
    func by(_ people: String) -> String {
        stored.signed.claim.map { "by \(people), \(claimWords(by: $0.claimedBy))" } ?? "signed by \(people)"
    }
}

/// A statement and its standing for `--json`.
struct StatementListing: Encodable {
    var statement: StatementFile
    var plan: Digest?
    var planName: String
    var run: RunID?
    var layers: [LayerName]
    var holdPoints: [HoldPoint]
    var notBefore: String
    var notAfter: String
    var people: [Owner]
    var faults: [String]
    var standing: String
    var uses: [RunID]
    /// The hosts on which something else would run now than what it covers.
    var changedHosts: [HostName]
    /// What it covers on each host; only of a statement that is shown alone.
    var leaves: [HostName: Digest]?
    var madeBy: String
    var madeAtMilliseconds: Int64

    init(_ entry: StatementEntry) {
        statement = StatementFile(entry.stored.signed, entry.statement)
        plan = entry.stored.plan
        planName = entry.statement.planName
        run = entry.statement.run
        layers = entry.statement.layers
        holdPoints = entry.statement.holdPoints
        notBefore = "\(entry.statement.notBefore)"
        notAfter = "\(entry.statement.notAfter)"
        people = entry.people
        faults = entry.faults
        standing = entry.standing.words
        uses = entry.uses
        changedHosts = entry.changedHosts
        madeBy = entry.stored.madeBy
        madeAtMilliseconds = entry.stored.madeAt.milliseconds
    }
}

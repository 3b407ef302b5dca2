import Approvals
import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RunRecord
import RunViews
import SafeText
import SystemPackage
import UpgradeDomain

struct ApprovalAdd: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Take signatures that were made elsewhere.",
        discussion: """
            Each file has one or several signatures as `ssh-keygen -Y sign` writes them; without a file they are read from
            standard input, such as pasted. The statement that each of them signs is found among those of the ledger. What
            else is in the file is not signed, and is not kept.
            Example: lockflight approval add a.json.sig
            """)

    /// The longest file that is read.
    static let fileBytes = 1 << 20
    /// How many statements are tried, newest first.
    static let triedStatements = 10_000

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Files with signatures; none for standard input.", completion: .file()) var files: [String] = []

    /// A signature, and the statement that it signs.
    private struct Match {
        var id: StatementID
        var signature: String
        var people: [Owner]
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let policies = try await ledger.policies()
        guard let first = policies.first else {
            throw CommandError(
                .refused, "no policy says whose signatures count, so approvals are claims",
                consequence: "Nothing was recorded.", next: .listPlans)
        }
        let policy = try PolicyChain(policies.map(\.signed), of: ledger.id, trusting: first.fingerprint).current
        var remarks: [TerminalText] = []
        var matches: [Match] = []
        let stored = try await ledger.statements().reversed().prefix(ApprovalAdd.triedStatements)
        for (name, text) in try texts(context) {
            let blocks = SignatureBlocks(in: text)
            guard !blocks.armoured.isEmpty else {
                throw CommandError(
                    .refused,
                    blocks.isCut
                        ? "the signature in \(name) has no end: a part of it is missing" : "\(name) has no signature",
                    consequence: "Nothing was recorded. A signature begins with -----BEGIN SSH SIGNATURE-----.")
            }
            if blocks.isCut {
                throw CommandError(
                    .refused, "a signature in \(name) has no end: a part of it is missing",
                    consequence: "Nothing was recorded.")
            }
            if let other = blocks.firstOther {
                remarks.append(
                    "\(counted(blocks.otherLines, "line")) of \(name) beside the signatures: not signed, and not kept: \(other)"
                )
            }
            for signature in blocks.armoured { matches.append(try match(signature, in: name, stored, policy)) }
        }
        return try await record(matches, remarks, context, ledger)
    }

    private func texts(_ context: Context) throws -> [(name: String, text: String)] {
        guard files.isEmpty else {
            return try files.map { ($0, try context.readFile($0, limitBytes: ApprovalAdd.fileBytes)) }
        }
        let bytes = try FileHandle.standardInput.read(upToCount: ApprovalAdd.fileBytes + 1) ?? Data()
        guard bytes.count <= ApprovalAdd.fileBytes, let text = String(data: bytes, encoding: .utf8) else {
            throw CommandError(
                .refused,
                "standard input is not UTF-8 text of at most \(ApprovalAdd.fileBytes) bytes",
                consequence: "Nothing was recorded.")
        }
        return [("standard input", text)]
    }

    // MARK: Finding the statement

    private func match(
        _ signature: String, in name: String, _ stored: some Sequence<StoredStatement>, _ policy: Policy
    ) throws(CommandError) -> Match {
        var refused: SignatureFindings.Refused?
        for own in stored {
            guard let statement = try? Statement(signedText: own.signed.text) else { continue }
            let findings = policy.signers(of: own.signed.text, signatures: [signature], as: statement.purpose)
            if !findings.people.isEmpty {
                try ApprovalAdd.require(Set(findings.people.keys), mayGive: statement, policy)
                return Match(id: own.id, signature: signature, people: findings.people.keys.sorted())
            }
            // What an editor appends is signed as well, unless the text is printed without a line end.
            let withLineEnd = policy.signers(
                of: own.signed.text + "\n", signatures: [signature], as: statement.purpose)
            if !withLineEnd.people.isEmpty {
                throw CommandError(
                    .refused, "what was signed is the statement \(own.id.short) and a line end after it",
                    consequence:
                        "Nothing was recorded. Sign the text exactly as --print writes it, without a line end.",
                    next: .showApproval(id: own.id, prints: true))
            }
            switch findings.refused.first?.reason {
            case .doesNotMatch, nil: refused = refused ?? findings.refused.first
            // It says more than that another text was signed.
            case .wrongNamespace, .unreadable, .unknownKey, .revokedKey, .keyKind, .noTouch, .breakGlassKey,
                .ordinaryKey, .noBuilder:
                if refused?.reason == nil || refused?.reason == .doesNotMatch { refused = findings.refused.first }
            }
        }
        throw CommandError(
            .refused,
            "a signature in \(name) signs no statement of this ledger"
                + (refused.map { ": \($0.reason.words)\($0.fingerprint.map { " (\($0))" } ?? "")" } ?? ""),
            consequence: "Nothing was recorded.", next: .listApprovals)
    }

    private static func require(
        _ people: Set<Owner>, mayGive statement: Statement, _ policy: Policy
    ) throws(CommandError) {
        let entitled = policy.entitled(to: statement)
        guard people.isDisjoint(with: entitled) else { return }
        throw CommandError(
            .refused,
            "\(people.sorted().map(\.rawValue).joined(separator: ", ")) may not give \(statement.words)",
            consequence: "Nothing was recorded. These people may: "
                + "\(entitled.sorted().map(\.rawValue).joined(separator: ", ")).",
            next: .showApproval(id: statement.id, prints: false))
    }

    // MARK: Recording

    private func record(
        _ matches: [Match], _ remarks: [TerminalText], _ context: Context, _ ledger: Ledger
    ) async throws -> CommandResult {
        let now = Context.clock.wall()
        var lines: [TerminalText] = []
        var ids: [StatementID] = []
        for match in matches {
            let isNew = try await ledger.addSignature(
                match.signature, to: match.id, by: context.user, at: now)
            if !isNew { lines.append("\(match.id.short) has this signature already") }
            if !ids.contains(match.id) { ids.append(match.id) }
        }
        let entries = try await ledger.statementBook(at: now).entries.filter { ids.contains($0.statement.id) }
        var next: [OperatorCommand] = []
        for entry in entries {
            let people = entry.people.map(\.rawValue).joined(separator: ", ")
            lines.append(
                "\(entry.statement.words) (statement \(entry.statement.id.short)): "
                    + (people.isEmpty ? "nobody's signature counts" : "signed by \(people)")
                    + "; it \(entry.standing.words)")
            lines += entry.faults.map { "  \($0)" }
        }
        var runs: [Digest: [RunID]] = [:]
        for plan in Set(entries.compactMap(\.stored.plan)).sorted() {
            let taken = try await SignedRuns.present(context, ledger, ofPlan: plan)
            runs[plan] = taken
            lines += SignedRuns.lines(taken)
        }
        for entry in entries {
            let own = entry.stored.plan.flatMap { runs[$0] } ?? []
            let (missing, command) = try await rest(after: entry, recordedIn: own, context, ledger)
            lines += missing
            if let command, !next.contains(command) { next.append(command) }
        }
        let document = entries.map { StatementListing($0) }
        return CommandResult(
            lines: lines, document: document, remarks: remarks, next: next)
    }

    /// What is still missing, and the next command.
    private func rest(
        after entry: StatementEntry, recordedIn runs: [RunID], _ context: Context, _ ledger: Ledger
    ) async throws -> ([TerminalText], OperatorCommand?) {
        let now = Context.clock.wall()
        if let run = entry.statement.run {
            let state = try await RunControl(context, ledger, run: run.rawValue).state()
            return ([], state.nextCommands(at: now).first?.command ?? .status(run: run))
        }
        if let run = runs.first { return ([], .status(run: run)) }
        guard let plan = entry.stored.plan else { return ([], nil) }
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan.rawValue)
        let standing = try await ledger.approvals(of: stored, over: inventory, at: now).standing
        return (standing.missingLines(unlessIn: []), stored.nextCommand(standing, over: inventory))
    }
}

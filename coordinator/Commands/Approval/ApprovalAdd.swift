import Approvals
import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RunRecord
import RunViews
import SSHSignatures
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
        guard let policy = try await Context.policyChain(of: ledger)?.current else {
            throw CommandError(
                .refused, "no policy says whose signatures count, so approvals are claims",
                consequence: "Nothing was recorded.", next: .listPlans)
        }
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

    /// A signature names what it was made for. Only statements of that kind can say what is wrong with it.
    private func match(
        _ signature: String, in name: String, _ stored: some Sequence<StoredStatement>, _ policy: Policy
    ) throws(CommandError) -> Match {
        let namespace = (try? SSHSignature(armored: Array(signature.utf8)))?.namespace
        let known = Purpose.allCases.first { namespace?.isSpelled($0.namespace) == true }
        var refused: SignatureFindings.Refused?
        for own in stored where namespace == nil || known != nil {
            guard let statement = try? Statement(signedText: own.signed.text) else { continue }
            let purpose = known ?? statement.purpose
            let findings = policy.signers(of: own.signed.text, signatures: [signature], as: purpose)
            if purpose != statement.purpose {
                guard findings.isOfThisText else { continue }
                throw ApprovalAdd.misused(statement, purpose)
            }
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
            // A reason about the key says more than that another text was signed.
            if refused == nil || findings.isOfThisText { refused = findings.refused.first }
        }
        let none: String? = namespace.map { "it was made for '\($0)', and no statement of this ledger is of that kind" }
        let reason = refused.map { "\($0.reason.words)\($0.fingerprint.map { " (\($0))" } ?? "")" } ?? none
        throw CommandError(
            .refused,
            "a signature in \(name) signs no statement of this ledger" + (reason.map { ": \($0)" } ?? ""),
            consequence: "Nothing was recorded.", next: .listApprovals)
    }

    private static func misused(_ statement: Statement, _ purpose: Purpose) -> CommandError {
        CommandError(
            .refused,
            "what was signed is the statement \(statement.id.short), but for '\(purpose.namespace)', and it is for "
                + "'\(statement.purpose.namespace)'",
            consequence: "Nothing was recorded. Sign it again with -n \(statement.purpose.namespace).",
            next: .showApproval(id: statement.id, prints: true))
    }

    private static func require(
        _ people: Set<Owner>, mayGive statement: Statement, _ policy: Policy
    ) throws(CommandError) {
        let entitled = policy.entitled(to: statement)
        guard people.isDisjoint(with: entitled) else { return }
        throw CommandError(
            .refused,
            "\(people.sorted().map(\.rawValue).joined(separator: ", ")) may not give \(statement.words)",
            consequence: "Nothing was recorded. \(policy.peopleSentence(for: statement))",
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
            let (missing, commands) = try await rest(after: entry, recordedIn: own, context, ledger)
            lines += missing.filter { !lines.contains($0) }
            next += commands.filter { !next.contains($0) }
        }
        let document = entries.map { StatementListing($0) }
        return CommandResult(
            lines: lines.flatMap { $0.wrapped(to: context.width, indent: 2) }, document: document, remarks: remarks,
            next: next)
    }

    /// What is still missing, and the next command.
    private func rest(
        after entry: StatementEntry, recordedIn runs: [RunID], _ context: Context, _ ledger: Ledger
    ) async throws -> ([TerminalText], [OperatorCommand]) {
        let now = Context.clock.wall()
        if let run = entry.statement.run {
            let state = try await RunControl(context, ledger, run: run.rawValue).state()
            return ([], [state.nextCommands(at: now).first?.command ?? .status(run: run)])
        }
        guard let plan = entry.stored.plan else { return ([], []) }
        let waits = try await SignedRuns.waits(
            after: [entry.statement], by: entry.people, recordedIn: runs, context, ledger, ofPlan: plan)
        if let run = runs.first {
            return (waits.lines, waits.next.isEmpty ? [.status(run: run)] : waits.next)
        }
        let inventory = try await context.inventory(of: ledger)
        let stored = try await ledger.plan(matching: plan.rawValue)
        let standing = try await ledger.approvals(of: stored, over: inventory, at: now).standing
        return (
            waits.lines + standing.missingLines(unlessIn: []),
            waits.next.isEmpty ? [try await ledger.nextCommand(for: stored, standing, over: inventory)] : waits.next
        )
    }
}

extension SignatureFindings {
    /// Whether one of the signatures is over this text, made for this purpose, whoever made it.
    fileprivate var isOfThisText: Bool {
        !people.isEmpty
            || refused.contains { one in
                switch one.reason {
                case .doesNotMatch, .wrongNamespace, .unreadable, .keyKind: false
                case .unknownKey, .revokedKey, .noTouch, .breakGlassKey, .ordinaryKey, .noBuilder: true
                }
            }
    }
}

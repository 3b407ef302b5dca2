import Approvals
import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct ApprovalShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a statement in words, who signed it, and what it was used for.",
        discussion: """
            With --print only its text is printed, exactly as it is signed: no line end follows it.
            Example: lockflight approval show 1a2b3c4d
            """)

    /// How many hosts are listed with what they run.
    static let leavesShown = 20

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The statement's id, or its first digits.") var id: String
    @Flag(name: .long, help: "Print the text that is signed, and nothing else.") var print = false

    func validate() throws {
        guard !(print && options.json) else {
            throw ValidationError("--print prints the text that is signed and nothing else: leave out --json")
        }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let stored = try await ledger.statement(matching: id)
        let statement = try Statement(signedText: stored.signed.text)
        if print {
            var result = CommandResult(lines: [], document: StatementFile(stored.signed, statement))
            result.exactText = stored.signed.text
            return result
        }
        let book = try await ledger.statementBook(ofPlan: stored.plan, at: Context.clock.wall())
        guard let entry = book.entries.first(where: { $0.statement.id == stored.id }) else {
            throw CommandError(
                .refused, "the ledger has no inventory to compare \(stored.id.short) with",
                next: .importInventory(file: nil))
        }
        let keys = try await fingerprints(of: entry, ledger)
        let desk = StatementDesk(context: context, ledger: ledger)
        let isOpen = entry.standing == .unsigned
        var document = StatementListing(entry)
        document.leaves = stored.signed.leaves
        return CommandResult(
            lines: lines(entry, keys).flatMap { $0.wrapped(to: context.width, indent: 12) }
                + (isOpen ? ["", "sign it where the key is:"] + desk.elsewhere(statement) : []), document: document)
    }

    private func lines(_ entry: StatementEntry, _ keys: [Owner: Set<String>]) -> [TerminalText] {
        let statement = entry.statement
        var lines = statement.termLines
        lines.append("made        by \(entry.stored.madeBy) at \(entry.stored.madeAt.rfc3339)")
        lines.append("standing    it \(entry.standing.words)")
        if let claim = entry.stored.signed.claim { lines.append("claimed     \(claim.words)") }
        lines += entry.people.filter { _ in entry.stored.signed.claim == nil }.map { person in
            "signed by   \(person)" + (keys[person].map { "  \($0.sorted().joined(separator: ", "))" } ?? "")
        }
        lines += entry.faults.map { "not counted \($0)" }
        if !entry.uses.isEmpty { lines.append("used by     \(entry.uses.map(\.rawValue).joined(separator: ", "))") }
        if !entry.changedHosts.isEmpty {
            lines.append(
                "changed     what would run on \(entry.changedHosts.map(\.rawValue).joined(separator: ", ")) is no longer what it covers"
            )
        }
        let leaves = (entry.stored.signed.leaves ?? [:]).sorted { $0.key < $1.key }
        lines += leaves.prefix(ApprovalShow.leavesShown).map { "leaf        \($0.key)  \($0.value.short)" }
        if leaves.count > ApprovalShow.leavesShown {
            lines.append("            and \(leaves.count - ApprovalShow.leavesShown) more; --json lists them")
        }
        return lines
    }

    private func fingerprints(of entry: StatementEntry, _ ledger: Ledger) async throws -> [Owner: Set<String>] {
        let policies = try await ledger.policies()
        guard let first = policies.first,
            let chain = try? PolicyChain(policies.map(\.signed), of: ledger.id, trusting: first.fingerprint)
        else { return [:] }
        let signed = entry.stored.signed
        return chain.current.signers(of: signed.text, signatures: signed.signatures, as: entry.statement.purpose).people
    }
}

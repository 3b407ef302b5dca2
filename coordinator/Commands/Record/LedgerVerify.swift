import Approvals
import ArgumentParser
import Ledger
import OperatorCommands
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

struct LedgerVerify: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify the hash chains, or name the first broken event.",
        discussion: """
            It also compares the policy and the statements of the ledger with those that its runs recorded, and names what
            nobody had permitted.
            Example: lockflight ledger verify
            """)

    private static let wayOut: TerminalText =
        "if you have a good backup, restore it; otherwise quarantine each open run whose events are broken"

    private static let removed: TerminalText =
        "somebody changed the policy or the statements in the file: until they are restored nothing is approved or started; "
        + "the runs' events still have what they recorded"

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Only this run.") var run: String?

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let chosen: RunID? = if let run { try await ledger.run(matching: run).id } else { nil }
        let verification = try await ledger.verify(run: chosen, followedBy: { OverviewKeeper(at: nil) })
        let unpermitted = try await permissionFaults(verification, ledger)
        var lines: [TerminalText] = []
        for chain in verification.chains {
            let faults = chain.faults.map(\.sentence) + [unpermitted[chain.run]].compactMap(\.self)
            let head: TerminalText =
                "\(chain.run)  \(counted(chain.provenSequence, "event")), head \(chain.provenHash.short)"
            let verdict =
                if chain.isQuarantined {
                    context.style.yellow("quarantined")
                } else {
                    faults.isEmpty ? context.style.green("sound") : context.style.red("broken")
                }
            lines.append(head + "  " + verdict)
            lines += faults.map { "  \($0)" }
        }
        lines += verification.faults.map { context.style.red("\($0.sentence)") }
        let policyFault = chosen == nil && verification.faults.isEmpty ? try await policyFault(of: ledger) : nil
        let trust = try await trustFaults(verification, ledger, chosen)
        let texts = [policyFault].compactMap(\.self) + trust.map { "recordMissing: \($0.words)" }
        let isSound = verification.isSound && texts.isEmpty && unpermitted.isEmpty
        lines += texts.map { context.style.red("\($0)") }
        if verification.chains.isEmpty, isSound { lines.append("no run yet; the ledger is sound") }
        return CommandResult(
            lines: lines, document: Document(verification, texts, unpermitted),
            status: isSound ? .verified : .failure,
            remarks: isSound
                ? ["\(Verification.undetectable)"]
                : [LedgerVerify.wayOut] + (trust.isEmpty ? [] : [LedgerVerify.removed]),
            next: verification.chains.filter { $0.isBroken && $0.isOpen }
                .map { .quarantine(run: $0.run, abandoned: []) }
                + Set(unpermitted.keys).union(trust.map(\.run)).sorted().map { .showEvents(run: $0) })
    }

    /// What no hash can show: the first thing in each sound chain that nobody had permitted when it was recorded.
    private func permissionFaults(_ verification: Verification, _ ledger: Ledger) async throws -> [RunID: String] {
        var found: [RunID: String] = [:]
        for chain in verification.chains where chain.faults.isEmpty && !chain.isQuarantined {
            let fault = RolloutState.permissionFault(in: try await ledger.allEvents(of: chain.run))
            found[chain.run] = fault.map { "event \($0.sequence): notPermitted: \($0.message)" }
        }
        return found
    }

    /// What sound chains recorded of policies and statements, and the ledger no longer has.
    private func trustFaults(
        _ verification: Verification, _ ledger: Ledger, _ chosen: RunID?
    ) async throws -> [TrustFault] {
        let sound = Set(verification.chains.filter { $0.faults.isEmpty && !$0.isQuarantined }.map(\.run))
        guard !sound.isEmpty else { return [] }
        return try await ledger.trustFaults(of: chosen).filter { sound.contains($0.run) }
    }

    /// What the ledger itself can not see, as it does not know what a policy means: a version that nobody signed.
    private func policyFault(of ledger: Ledger) async throws -> String? {
        do {
            _ = try Context.chain(of: try await ledger.policies(), in: ledger)
            return nil
        } catch let problem as PolicyProblem {
            return "policyNotTrusted: \(problem.words)"
        }
    }

    private struct Document: Encodable {
        struct Chain: Encodable {
            var run: RunID
            var provenSequence: UInt64
            var provenHash: Digest
            var faults: [String]
            /// Absent where it is not.
            var isQuarantined: Bool?
        }
        var isSound: Bool
        var chains: [Chain]
        var faults: [String]

        init(_ verification: Verification, _ texts: [String], _ unpermitted: [RunID: String]) {
            isSound = verification.isSound && texts.isEmpty && unpermitted.isEmpty
            chains = verification.chains.map {
                Chain(
                    run: $0.run, provenSequence: $0.provenSequence, provenHash: $0.provenHash,
                    faults: $0.faults.map(\.sentence) + [unpermitted[$0.run]].compactMap(\.self),
                    isQuarantined: $0.isQuarantined ? true : nil)
            }
            faults = verification.faults.map(\.sentence) + texts
        }
    }
}

extension LedgerFault {
    fileprivate var sentence: String {
        (sequence.map { "event \($0): " } ?? "") + "\(code.rawValue): \(message)"
    }
}

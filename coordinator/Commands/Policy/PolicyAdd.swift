import Approvals
import ArgumentParser
import CoordinatorRuntime
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct PolicyAdd: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Verify the signatures of a policy's next version, and store it.",
        discussion: """
            The file is the one that `policy sign` wrote, policy-vN.json. Its signatures are in files beside it that have its
            name and end with .sig, or in the files that --signature names. Version 1 must be signed by its own signers, and
            everybody compares its fingerprint: it is what the policy is trusted by. Version N+1 must be signed by the
            signers of version N and by its own.
            Example: lockflight policy add policy-v1.json
            Example: lockflight policy add p.json --signature ana.sig --signature bo.sig
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The text that is signed: policy-vN.json.", completion: .file()) var file: String
    @Option(
        name: .long, help: "A file with signatures. May be repeated. (default: those beside the file)",
        completion: .file())
    var signature: [String] = []

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let text = try context.readFile(file, limitBytes: SignedText.bytes + 1)
        guard text.begins(with: "{\"") else {
            throw CommandError(
                .refused, "\(file) is a file that people edit, and not the text that they sign",
                consequence: "Nothing was recorded.", next: .signPolicy(file: file, key: nil))
        }
        let files = signature.isEmpty ? try SignatureFiles.beside(file) : signature
        var signed = SignedStatement(text: text, signatures: try context.signatures(in: files))
        let chain = try await Context.policyChain(of: ledger)
        let next: PolicyChain
        let refused: [SignatureFindings.Refused]
        do throws(PolicyProblem) {
            (signed, refused) = try PolicyAdd.counted(signed, after: chain)
            if let chain {
                next = try chain.adding(signed)
            } else {
                next = try PolicyChain(first: signed, of: ledger.id)
            }
        } catch {
            throw error.error(in: file)
        }
        let version = next.current.version
        try await ledger.addPolicy(signed, version: version, by: context.user, at: Context.clock.wall())
        let runs = try await SignedRuns.present(context, ledger)
        let shares = try PolicyChain.shares(of: signed, after: chain)
        let signers = Set(shares.flatMap(\.present)).sorted()
        let known = next.current.signers(of: text, signatures: signed.signatures, as: .policy).people.keys.sorted()
            .map(\.rawValue)
        var lines: [TerminalText] = [
            "version \(version) of the policy is stored, signed by \(signers.map(\.rawValue).joined(separator: ", "))",
            "fingerprint \(PolicyChain.fingerprint(of: text))",
        ]
        let changes = chain.map { next.current.changes(since: $0.current) }
        lines += changes?.map { "change     \($0)" } ?? PolicyPage(policy: next.current).lines(context.style)
        lines += SignedRuns.lines(runs)
        let trust: TerminalText =
            "everybody who signed compares this fingerprint with theirs: it is what this ledger's policy is trusted by"
        let effect: TerminalText = "from now on only signed approvals count, for every run that is started from here on"
        return CommandResult(
            lines: lines.flatMap { $0.wrapped(to: context.width, indent: 11) },
            document: PolicyDocument(next.current, text: text, chain: next, signedBy: signers),
            remarks: refused.map { "\($0.words)" } + PolicySign.uncounted(known, shares)
                + (chain == nil ? [trust, effect] : []),
            next: [.showPolicy(version: nil)])
    }

    /// The statement with the signatures that count under the version before or under its own, and those that do not
    /// count under either.
    private static func counted(
        _ signed: SignedStatement, after chain: PolicyChain?
    ) throws(PolicyProblem) -> (SignedStatement, [SignatureFindings.Refused]) {
        let shares = try PolicyChain.shares(of: signed, after: chain)
        let refused = shares.dropFirst().reduce(shares.first?.refused ?? []) { common, share in
            common.filter { one in share.refused.contains { $0.index == one.index } }
        }
        // If nothing counts, the chain says why.
        guard refused.count < signed.signatures.count else { return (signed, []) }
        var kept = signed
        kept.signatures = signed.signatures.enumerated().filter { index, _ in !refused.contains { $0.index == index } }
            .map(\.element)
        return (kept, refused)
    }
}

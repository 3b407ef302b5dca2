import Approvals
import ArgumentParser
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct PolicyShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the policy: who may approve what, with which keys.",
        discussion: """
            All versions are verified first: each one against the one before, from version 1 on. The fingerprint of version 1
            is the SHA-256 of its signed text; compare it with what its signers say it is.
            Example: lockflight policy show
            Example: lockflight policy show --version 1 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "Another version than the current one.") var version: Int?

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let (stored, chain) = try await context.requiredPolicy(of: ledger)
        let number = version ?? chain.current.version
        guard let policy = chain[version: number] else {
            throw CommandError(
                .refused, "the ledger has no version \(number) of the policy; the newest is \(chain.current.version)",
                next: .showPolicy(version: nil))
        }
        let record = stored[number - 1]
        let signers = policy.policySigners(of: record.signed, after: chain[version: number - 1])
        let lines: [TerminalText] = [
            "version \(number), issued at \(policy.issuedAt)"
                + (number == chain.current.version ? "" : ", replaced by version \(number + 1)"),
            "signed by \(signers.map(\.rawValue).joined(separator: ", ")); added by OS user \(record.addedBy) at \(record.addedAt.rfc3339)",
            "fingerprint \(record.fingerprint)",
        ]
        let trusted: [TerminalText] = number == 1 ? [] : ["version 1 has the fingerprint \(chain.fingerprint)"]
        return CommandResult(
            lines: (lines + trusted + PolicyPage(policy: policy).lines(context.style)).flatMap {
                $0.wrapped(to: context.width, indent: 11)
            }, document: PolicyDocument(policy, text: record.signed.text, chain: chain, signedBy: signers))
    }
}

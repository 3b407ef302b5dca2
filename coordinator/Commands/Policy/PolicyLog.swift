import Approvals
import ArgumentParser
import Ledger
import SafeText
import UpgradeDomain

struct PolicyLog: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "List the versions of the policy, who signed them and what they changed.",
        discussion: "Example: lockflight policy log")

    @OptionGroup var options: GlobalOptions

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        let (stored, chain) = try await context.requiredPolicy(of: ledger)
        let documents = zip(stored, chain.versions).map { record, policy in
            PolicyDocument(
                policy, text: record.signed.text, chain: chain,
                signedBy: policy.policySigners(of: record.signed, after: chain[version: policy.version - 1]))
        }
        let rows = zip(stored, documents).map { record, document -> [TerminalText] in
            [
                "\(document.version)", "\(document.policy.issuedAt)", "\(record.addedBy)",
                "\(document.signedBy.map(\.rawValue).joined(separator: ", "))", "\(document.fingerprint.short)",
                "\(document.changes?.joined(separator: "; ") ?? "the first version")",
            ]
        }
        let table = TextTable(
            headers: ["VERSION", "ISSUED", "ADDED BY", "SIGNED BY", "FINGERPRINT", "CHANGES"], rows: rows)
        return CommandResult(
            lines: ["fingerprint \(chain.fingerprint), of version 1"]
                + table.lines(width: context.width, style: context.style),
            document: documents)
    }
}

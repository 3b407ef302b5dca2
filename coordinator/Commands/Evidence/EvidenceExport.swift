import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import Foundation
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

struct EvidenceExport: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Export the whole record of a run to one file that can be verified.",
        discussion: """
            The file has the plan, hosts, approvals, every event with its hash chain, raw answers and outputs, deltas
            and boundary records. `evidence verify` checks it anywhere, without the ledger.
            Example: lockflight evidence export r-7k3fq2 --output r-7k3fq2.json
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var target: RunArgument
    @Option(name: .shortAndLong, help: "The file to write.", completion: .file()) var output: String

    func perform(_ context: Context) async throws -> CommandResult {
        let control = try await context.control(target, readOnly: true)
        let bundle = try await control.ledger.bundle(
            of: control.run, tool: "lockflight \(LockflightVersion.current)", conclusions: RunConclusions.json)
        let bytes = try CanonicalJSON.encode(bundle)
        guard bytes.count <= EvidenceBundle.maximumBytes else {
            throw CommandError(
                .refused,
                "the evidence of \(control.run) has \(counted(bytes.count, "byte")); the limit is \(EvidenceBundle.maximumBytes)",
                consequence: "Nothing was written: Lockflight could not read a file of this size.")
        }
        try context.write(bytes, to: output, replacing: true)
        return CommandResult(
            lines: [
                "\(control.run)  \(counted(bundle.events.count, "event")), \(counted(bundle.blobs.count, "piece")) of evidence, \(counted(bytes.count, "byte"))"
            ],
            document: Summary(bundle), next: [.verifyEvidence(file: output)])
    }

    struct Summary: Encodable {
        var run: RunID
        var events: Int
        var evidence: Int
        var chainHead: Digest?
        /// Only from `evidence verify`, of a run that went by a policy.
        var policy: PolicyProof?

        init(_ bundle: EvidenceBundle, policy: PolicyProof? = nil) {
            self.policy = policy
            run = bundle.run
            events = bundle.events.count
            evidence = bundle.blobs.count
            chainHead = bundle.events.last?.hash
        }
    }
}

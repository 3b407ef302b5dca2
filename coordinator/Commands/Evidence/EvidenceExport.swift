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
        commandName: "export", abstract: "Write everything recorded of a run into one file that proves itself.",
        discussion: """
            Plan, hosts, approvals, every event with its hash chain, raw answers and outputs, deltas and boundary records.
            `evidence verify` checks it anywhere, without the ledger.
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
                "the evidence of \(control.run) takes \(bytes.count) bytes, more than \(EvidenceBundle.maximumBytes)",
                consequence: "Nothing was written: no build would read it.")
        }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: output), options: .atomic)
        } catch {
            throw CommandError(
                .failure, "\(output) could not be written: \(error.localizedDescription)",
                consequence: "Nothing was written.")
        }
        return CommandResult(
            lines: [
                "\(control.run)  \(bundle.events.count) events, \(bundle.blobs.count) pieces of evidence, \(bytes.count) bytes"
            ],
            document: Summary(bundle), next: [.verifyEvidence(file: output)])
    }

    struct Summary: Encodable {
        var run: RunID
        var events: Int
        var evidence: Int
        var chainHead: Digest?

        init(_ bundle: EvidenceBundle) {
            run = bundle.run
            events = bundle.events.count
            evidence = bundle.blobs.count
            chainHead = bundle.events.last?.hash
        }
    }
}

struct EvidenceVerify: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Prove an exported file, or name the first thing that does not hold.",
        discussion: """
            Needs no ledger: recomputes the hash chain, the digests of plan, hosts and evidence, and draws every
            conclusion again from the events.
            Example: lockflight evidence verify r-7k3fq2.json
            """)

    /// What an earlier build concluded otherwise, so that it is not proved; nil where there is nothing such.
    private static func olderRemark(_ format: String) -> TerminalText? {
        switch format {
        case EvidenceBundle.formatWithAdvice:
            "It was written by an earlier build: the commands that it names as the next ones, repairs by hand and how it compares the evidence are not proved."
        case EvidenceBundle.formatWithLastingRepairs:
            "It was written by an earlier build: which hosts count as repaired by hand, and how it compares the evidence, are not proved."
        default: nil
        }
    }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The exported file.", completion: .file()) var file: String
    @Option(name: .long, help: "A head that somebody else kept: sha256: and 64 digits, or at least 12 of them.")
    var head: String?

    func validate() throws {
        guard let head, head.wholeMatch(of: /(sha256:)?[0-9a-fA-F]{12,64}/) == nil else { return }
        throw ValidationError("'\(head)' is no head: say sha256: and 64 hexadecimal digits, or at least 12 of them")
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let bundle: EvidenceBundle
        do {
            let text = try context.readFile(file, limitBytes: EvidenceBundle.maximumBytes)
            bundle = try CanonicalJSON.decode(EvidenceBundle.self, from: Array(text.utf8))
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError(.refused, "\(file) is no evidence bundle: \(error)", consequence: "Nothing was proved.")
        }
        do throws(EvidenceBundle.Fault) {
            let events = try bundle.prove()
            guard RunConclusions.agree(bundle.conclusions, with: events, format: bundle.format) else {
                throw EvidenceBundle.Fault("the conclusions", "they are not those that the events lead to")
            }
        } catch {
            throw CommandError(
                .failure, "\(file) does not hold, at \(error.place): \(error.message)",
                consequence: "Nothing from there on is proved.")
        }
        let kept = try head.map { try requireHead($0, in: bundle) }
        let head = bundle.events.last?.hash.short ?? "none"
        return CommandResult(
            lines: [
                "\(bundle.run)  \(bundle.events.count) events, head \(head), \(bundle.blobs.count) pieces of evidence  "
                    + context.style.green("sound")
            ], document: EvidenceExport.Summary(bundle),
            remarks: [kept ?? "\(Verification.undetectable)"] + witnessed(bundle)
                + [EvidenceVerify.olderRemark(bundle.format)].compactMap { $0 })
    }

    /// Where the chain has the head that somebody kept.
    private func requireHead(_ head: String, in bundle: EvidenceBundle) throws -> TerminalText {
        let digits = head.cut(at: ":")?.after ?? head[...]
        let whole = "sha256:\(digits)".lowercased()
        guard let event = bundle.events.last(where: { $0.hash.rawValue.begins(with: whole) }) else {
            throw CommandError(
                .failure, "\(file) does not have the head \(digits)",
                consequence: "It is not the record that the head was taken from, or ends before it.")
        }
        return "the head that was kept is that of event \(event.sequence) of \(bundle.events.count)"
    }

    private func witnessed(_ bundle: EvidenceBundle) -> [TerminalText] {
        guard let witnesses = bundle.witnesses else { return [] }
        let sequences = Dictionary(bundle.events.map { ($0.hash, $0.sequence) }) { first, _ in first }
        let newest = witnesses.compactMap { sequences[$0.head] }.max() ?? 0
        return ["\(Set(witnesses.map(\.host)).count) hosts witness it, up to event \(newest)"]
    }
}

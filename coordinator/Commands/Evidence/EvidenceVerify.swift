import ArgumentParser
import ContentDigest
import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import RunViews
import SafeText
import UpgradeDomain

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
                "\(bundle.run)  \(counted(bundle.events.count, "event")), head \(head), \(counted(bundle.blobs.count, "piece")) of evidence  "
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
        return ["witnessed by \(counted(Set(witnesses.map(\.host)).count, "host")), up to event \(newest)"]
    }
}

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
        commandName: "verify", abstract: "Verify an exported file, or name the first thing in it that is wrong.",
        discussion: """
            It needs no ledger. It recomputes the hash chain and the digests of plan, hosts and evidence, verifies every
            signature and that each change was permitted when it began, and derives every conclusion again from the
            events.
            A bundle brings its own policy along, so give the fingerprint of the newest version that you know: a bundle that
            never saw that version fails. If it reached the run after the start, give the one before as well.
            Example: lockflight evidence verify r-7k3fq2.json
            """)

    /// What an earlier build concluded differently and so can not be proved; nil if there is nothing.
    private static func olderRemark(_ format: String) -> TerminalText? {
        switch format {
        case EvidenceBundle.formatWithAdvice:
            "An earlier build wrote this file. Not verified: its next commands, its repairs by hand, and how it compares evidence."
        case EvidenceBundle.formatWithLastingRepairs:
            "An earlier build wrote this file. Not verified: which hosts it counts as repaired by hand, and how it compares evidence."
        default: nil
        }
    }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The exported file.", completion: .file()) var file: String
    @Option(name: .long, help: "A head that was kept elsewhere: sha256: and 64 digits, or at least the first 12.")
    var head: String?

    @Option(
        name: .long,
        help: """
            The fingerprint of a version of the policy, as its signers say it: sha256: and 64 digits. May be repeated.
            """)
    var policy: [String] = []

    func validate() throws {
        for policy in policy where !Digest(policy).isSHA256 {
            throw ValidationError("'\(policy)' is no fingerprint: give sha256: and 64 hexadecimal digits")
        }
        guard let head, head.wholeMatch(of: /(sha256:)?[0-9a-fA-F]{12,64}/) == nil else { return }
        throw ValidationError(
            "'\(head)' is not a valid head: give sha256: and 64 hexadecimal digits, or at least the first 12")
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let bundle: EvidenceBundle
        var proof: PolicyProof?
        do {
            let text = try context.readFile(file, limitBytes: EvidenceBundle.maximumBytes)
            bundle = try CanonicalJSON.decode(EvidenceBundle.self, from: Array(text.utf8))
        } catch let error as CommandError {
            throw error
        } catch {
            throw CommandError(
                .refused, "\(file) is not an evidence bundle: \(error.documentWords)",
                consequence: "Nothing was verified. A bundle is what `evidence export` writes.")
        }
        do throws(EvidenceBundle.Fault) {
            let events = try bundle.prove()
            proof = RolloutState.fold(events, at: .zero).flatMap { PolicyProof(of: $0) }
            if !policy.isEmpty { proof = try PolicyProof.compared(proof, with: policy.map { Digest($0) }) }
            if let fault = RolloutState.permissionFault(in: events) {
                throw EvidenceBundle.Fault("event \(fault.sequence)", fault.message)
            }
            guard RunConclusions.agree(bundle.conclusions, with: events, format: bundle.format) else {
                throw EvidenceBundle.Fault("the conclusions", "they do not follow from the events")
            }
        } catch {
            throw CommandError(
                .failure, "\(file) failed verification at \(error.place): \(error.message)",
                consequence: "Nothing from that point on is verified.")
        }
        let kept = try head.map { try requireHead($0, in: bundle) }
        let head = bundle.events.last?.hash.short ?? "none"
        return CommandResult(
            lines: [
                "\(bundle.run)  \(counted(bundle.events.count, "event")), head \(head), \(counted(bundle.blobs.count, "piece")) of evidence  "
                    + context.style.green("sound")
            ] + PolicyProof.lines(proof).flatMap { $0.wrapped(to: context.width, indent: 2) },
            document: EvidenceExport.Summary(bundle, policy: proof),
            remarks: [kept ?? "\(Verification.undetectable)"] + witnessed(bundle)
                + [EvidenceVerify.olderRemark(bundle.format)].compactMap { $0 })
    }

    /// Says where the chain has the head that was kept elsewhere.
    private func requireHead(_ head: String, in bundle: EvidenceBundle) throws -> TerminalText {
        let digits = head.cut(at: ":")?.after ?? head[...]
        let whole = "sha256:\(digits)".lowercased()
        guard let event = bundle.events.last(where: { $0.hash.rawValue.begins(with: whole) }) else {
            throw CommandError(
                .failure, "\(file) does not have the head \(digits)",
                consequence: "It is not the record that the head came from, or it ends before that head.")
        }
        return "the head that was kept belongs to event \(event.sequence) of \(bundle.events.count)"
    }

    private func witnessed(_ bundle: EvidenceBundle) -> [TerminalText] {
        guard let witnesses = bundle.witnesses else { return [] }
        let sequences = Dictionary(bundle.events.map { ($0.hash, $0.sequence) }) { first, _ in first }
        let newest = witnesses.compactMap { sequences[$0.head] }.max() ?? 0
        return ["witnessed by \(counted(Set(witnesses.map(\.host)).count, "host")), up to event \(newest)"]
    }
}

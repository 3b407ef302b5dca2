import Approvals
import ArgumentParser
import FleetAccess
import Foundation
import OperatorCommands
import SSHSignatures
import SafeText
import UpgradeDomain

struct PolicySign: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Make the text that is signed from a policy file, and sign it.",
        discussion: """
            From policy.yaml it writes policy-vN.json, which is what everybody signs, byte for byte, and for each key a
            signature beside it: policy-vN.json.NAME.sig. Others sign policy-vN.json on their own machines, without the
            ledger, and send back their .sig files. Without --key it shows what is signed, and the ssh-keygen command that
            signs it. A key may be a security key, or a .pub file whose private half is in an ssh-agent.
            Example: lockflight policy sign policy.yaml --key ~/.ssh/id_ed25519
            Example: lockflight policy sign policy-v1.json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The policy file, or the text that is signed.", completion: .file()) var file: String
    @Option(name: .long, help: "A key to sign with. May be repeated.", completion: .file()) var key: [String] = []

    func perform(_ context: Context) async throws -> CommandResult {
        var input = try await context.policy(in: file)
        do throws(PolicyProblem) { try input.requireAddable() } catch {
            throw error.error(in: file, consequence: "Nothing was signed: it could not be added, whoever signs it.")
        }
        let place = try signedText(of: &input, context)
        guard let text = input.text else { throw CommandError(.failure, "\(file) has no text to sign") }
        var signed = SignedStatement(text: text)
        var written: [String] = []
        var names: [String] = []
        for key in key {
            // ssh-keygen asks for a passphrase without saying of which key.
            Renderer.remark("signing \(place) with \(key)")
            let armored = try await SignatureProgram().sign(text, namespace: Purpose.policy.namespace, key: key)
            let name = try signer(armored, input, key)
            try context.write(armored, to: "\(place).\(name).sig", replacing: true)
            written.append("\(place).\(name).sig")
            names.append(name)
        }
        signed.signatures = try context.signatures(in: try SignatureFiles.beside(place))
        let shares = try PolicyChain.shares(of: signed, after: input.before == nil ? nil : input.chain)
        var lines: [TerminalText] = [
            "\(place) is version \(input.policy.version) of the policy, issued at \(input.policy.issuedAt)",
            "fingerprint \(PolicyChain.fingerprint(of: text))",
        ]
        if key.isEmpty { lines += input.shown(context.style) }
        lines += written.map { "wrote \($0)" } + shares.map(\.line)
        return CommandResult(
            lines: lines.flatMap { $0.wrapped(to: context.width, indent: 11) },
            document: Document(
                file: place, fingerprint: PolicyChain.fingerprint(of: text), signatures: written, shares),
            remarks: input.remarks + PolicySign.uncounted(names, shares) + remarks(shares, place, input),
            next: next(shares, place, input))
    }

    // MARK: The text

    /// The file with the text that is signed; written if the input is a file that people edit.
    private func signedText(of input: inout PolicyInput, _ context: Context) throws -> String {
        if input.text != nil { return file }
        guard input.hasLedger else {
            throw CommandError(
                .refused, "there is no ledger at \(context.ledgerPath), and a policy is about one ledger",
                consequence: "Nothing was written.", next: .importInventory(file: nil))
        }
        if input.changes?.isEmpty == true {
            throw CommandError(
                .refused, "\(file) says the same as version \(input.policy.version - 1), the current one",
                consequence: "Nothing was written.", next: .showPolicy(version: nil))
        }
        let folder = file.cut(atLast: "/").map { "\($0.before)/" } ?? ""
        let place = "\(folder)policy-v\(input.policy.version).json"
        guard FileManager.default.fileExists(atPath: place) else {
            let text = try input.policy.text()
            try context.write(text, to: place)
            input.text = text
            return place
        }
        let text = try context.readFile(place, limitBytes: SignedText.bytes + 1)
        var known = try? Policy.read(text)
        known?.issuedAt = input.policy.issuedAt
        guard known == input.policy else {
            throw CommandError(
                .refused, "\(place) exists, and says something else than \(file)",
                consequence:
                    "Nothing was written: signatures over it would be lost. If nobody needs them, remove it with "
                    + "its .sig files and repeat this.",
                next: .program(words: ["rm", "--", place] + ((try? SignatureFiles.beside(place)) ?? [])))
        }
        input.text = text
        if let policy = try? Policy.read(text) { input.policy = policy }
        return place
    }

    /// Whose signature it is, as part of a file's name.
    private func signer(_ armored: String, _ input: PolicyInput, _ path: String) throws -> String {
        let key: SSHPublicKey
        do throws(SignatureProblem) {
            key = try SSHSignature(armored: Array(armored.utf8)).publicKey
        } catch {
            throw CommandError(
                .refused, "\(path) can not sign a policy: \(error.words)", consequence: "Nothing was written.")
        }
        for policy in [input.policy, input.before].compactMap(\.self) {
            if let name = policy.people.first(where: { $0.value.keys.contains(key.line) })?.key { return name.rawValue }
        }
        if input.before != nil || input.policy.version == 1 {
            throw CommandError(
                .refused, "the key \(key.fingerprint) (\(path)) belongs to nobody in the policy",
                consequence: "Nothing was written: its signature would not count.", next: .checkPolicy(file: file))
        }
        return "SHA256-"
            + String(decoding: key.fingerprint.utf8.dropFirst(7).map { $0 == 0x2f ? 0x5f : $0 }, as: UTF8.self)
    }

    // MARK: What follows

    /// Those who signed now and are signers of neither version.
    static func uncounted(_ names: [String], _ shares: [PolicyShare]) -> [TerminalText] {
        let signers = Set(shares.flatMap(\.signers.people)).sorted().map(\.rawValue)
        return names.filter { !signers.contains($0) }.map {
            "\($0) is no signer of this policy, so this signature does not count; its signers: \(signers.joined(separator: ", "))"
        }
    }

    private func remarks(_ shares: [PolicyShare], _ place: String, _ input: PolicyInput) -> [TerminalText] {
        var remarks: [TerminalText] = []
        if key.isEmpty,
            case .program(let words) = SignatureProgram.command(
                signing: place, namespace: Purpose.policy.namespace, key: nil)
        {
            remarks.append(
                "without this program: \(ShellText.line(words)); it writes \(place).sig, which belongs beside \(place)")
        }
        if input.before == nil, input.policy.version > 1 {
            remarks.append(
                "this machine does not know version \(input.policy.version - 1), so what changes is not shown; its signers must sign as well"
            )
        }
        let absent = Set(shares.filter { !$0.isComplete }.flatMap(\.absent)).sorted().map(\.rawValue)
        if !absent.isEmpty {
            remarks.append(
                "still to sign: \(absent.joined(separator: ", ")); send them \(place), and put what they send back beside it"
            )
        }
        return remarks
    }

    private func next(_ shares: [PolicyShare], _ place: String, _ input: PolicyInput) -> [OperatorCommand] {
        shares.allSatisfy(\.isComplete) && (input.hasLedger || input.policy.version == 1)
            ? [.addPolicy(file: place)] : [.signPolicy(file: place, key: nil)]
    }

    private struct Document: Encodable {
        struct Share: Encodable {
            var version: Int
            var threshold: Int
            var signed: [Owner]
            var absent: [Owner]
        }
        var file: String
        var fingerprint: Digest
        var signatures: [String]
        var shares: [Share]

        init(file: String, fingerprint: Digest, signatures: [String], _ shares: [PolicyShare]) {
            (self.file, self.fingerprint, self.signatures) = (file, fingerprint, signatures)
            self.shares = shares.map {
                Share(version: $0.version, threshold: $0.signers.threshold, signed: $0.present, absent: $0.absent)
            }
        }
    }
}

extension PolicyShare {
    /// Who has signed, of those whom one version asks.
    var line: TerminalText {
        let names = present.isEmpty ? "nobody" : present.map(\.rawValue).joined(separator: ", ")
        return "signed     \(present.count) of \(signers.threshold) that version \(version) asks for: \(names)"
    }
}

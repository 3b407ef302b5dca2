import Approvals
import ArgumentParser
import OperatorCommands
import SafeText
import UpgradeDomain

struct PolicyCheck: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Validate a policy file and show what it would change; store nothing.",
        discussion: "Example: lockflight policy check policy.yaml")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The policy file, or the text that is signed.", completion: .file()) var file: String

    func perform(_ context: Context) async throws -> CommandResult {
        let input = try await context.policy(in: file)
        if !input.isStored {
            do throws(PolicyProblem) { try input.requireAddable() } catch {
                throw error.error(in: file, consequence: "It could not be added, whoever signs it.")
            }
        }
        var lines: [TerminalText] = [
            input.text == nil
                ? "\(file) is a valid policy; signed, it would be version \(input.policy.version)"
                : "\(file) is version \(input.policy.version) of a policy, issued at \(input.policy.issuedAt)"
        ]
        if let text = input.text { lines.append("fingerprint \(PolicyChain.fingerprint(of: text))") }
        lines += input.shown(context.style)
        return CommandResult(
            lines: lines.flatMap { $0.wrapped(to: context.width, indent: 11) }, document: input.policy,
            remarks: input.remarks + (input.isStored ? ["the ledger has this version already"] : []),
            next: [input.isStored ? .showPolicy(version: input.policy.version) : .signPolicy(file: file, key: nil)])
    }
}

extension PolicyInput {
    /// What it says: all of it for a first version, else what changes.
    func shown(_ style: Style) -> [TerminalText] {
        guard let changes else { return PolicyPage(policy: policy).lines(style) }
        return changes.isEmpty ? ["nothing changes"] : changes.map { "change     \($0)" }
    }
}

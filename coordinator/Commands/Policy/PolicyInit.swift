import Approvals
import ArgumentParser
import CoordinatorRuntime
import Foundation
import OperatorCommands
import PolicyFiles
import SSHSignatures
import SafeText
import UpgradeDomain

struct PolicyInit: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a policy file to edit: owners and layers of the inventory, keys of allowed signers.",
        discussion: """
            If the ledger has a policy, the file is its current version. A principal of an allowed_signers file is an owner if
            it has the owner's name, also before an '@'. An existing file is never overwritten.
            Example: lockflight policy init --allowed-signers ~/.ssh/allowed_signers
            """)

    @OptionGroup var options: GlobalOptions
    @Option(
        name: .long, help: "A file with people's keys (ssh-keygen(1), ALLOWED SIGNERS). May be repeated.",
        completion: .file())
    var allowedSigners: [String] = []
    @Option(name: .long, help: "The file to write.", completion: .file()) var out = "policy.yaml"

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.existingLedger()
        if FileManager.default.fileExists(atPath: out) {
            throw CommandError(
                .refused, "\(out) exists", consequence: "Nothing was written.", next: .checkPolicy(file: out))
        }
        let draft: PolicyDraft
        if let chain = try await Context.policyChain(of: ledger) {
            guard allowedSigners.isEmpty else {
                throw CommandError(
                    .refused, "the ledger has version \(chain.current.version) of a policy, with keys of its own",
                    consequence:
                        "Nothing was written. Without --allowed-signers the file is that version, to be edited.",
                    next: .initPolicy(file: out == "policy.yaml" ? nil : out))
            }
            draft = PolicyDraft(chain.current)
        } else {
            draft = PolicyDraft(
                inventory: try await context.inventory(of: ledger),
                signers: try allowedSigners.map { try read($0, context) })
        }
        try context.write(draft.text, to: out)
        let missing = draft.peopleWithoutKeys
        return CommandResult(
            lines: ["wrote \(out)"], document: [out],
            remarks: missing.isEmpty
                ? ["edit it: who decides about the policy, how many it takes, and who is on call"]
                : ["edit it: keys are missing of \(missing.map(\.rawValue).joined(separator: ", "))"],
            next: [.checkPolicy(file: out)])
    }

    private func read(_ file: String, _ context: Context) throws -> PolicyDraft.SignersFile {
        let text = try context.readFile(file, limitBytes: SignatureLimits.allowedSignersBytes)
        do throws(AllowedSigners.Problem) {
            return PolicyDraft.SignersFile(name: file, entries: try AllowedSigners.entries(text))
        } catch {
            throw CommandError(
                .refused, "\(file) can not be read as allowed signers: \(error.words)",
                consequence: "Nothing was written. Remove that line, or write the keys into the policy file yourself.")
        }
    }
}

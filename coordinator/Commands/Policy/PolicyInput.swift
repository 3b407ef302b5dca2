import Approvals
import CoordinatorRuntime
import FileReading
import Foundation
import Ledger
import OperatorCommands
import PolicyFiles
import SafeText
import UpgradeDomain

/// A policy from a file: one that people edit, or the text that they sign.
struct PolicyInput {
    var policy: Policy
    /// What is signed; nil for a file that people edit.
    var text: String?
    /// The versions of the ledger that it is about; nil if there is none, or if this machine has no such ledger.
    var chain: PolicyChain?
    /// Of the ledger that it is about; nil if it has none yet, or if this machine has no such ledger.
    var inventory: FleetInventory?
    /// Whether this machine has the ledger that it is about.
    var hasLedger: Bool

    /// What it changes in the version before; nil if there is none.
    var changes: [String]? { before.map { policy.changes(since: $0) } }
    var before: Policy? { chain?[version: policy.version - 1] }

    /// What the operator should look at before anybody signs: layers that nobody, or nothing, has.
    var remarks: [TerminalText] {
        guard let inventory else { return [] }
        let known = Set(inventory.layers.map(\.name))
        let missing = inventory.layers.map(\.name).filter { policy.layers[$0] == nil }
        let strange = policy.layers.keys.filter { !known.contains($0) }.sorted()
        return missing.map {
            "the policy has no owners for the inventory's layer \($0): nobody could approve a change of it"
        }
            + strange.map { "the inventory has no layer \($0)" }
    }
}

extension Context {
    /// The ledger's policy, verified; nil where approvals are claims.
    static func policyChain(of ledger: Ledger) async throws -> PolicyChain? {
        let stored = try await ledger.policies()
        guard let first = stored.first else { return nil }
        return try PolicyChain(stored.map(\.signed), of: ledger.id, trusting: first.fingerprint)
    }

    /// Reads a policy from a YAML file, as the ledger's next version, or from the text that is signed.
    func policy(in file: String) async throws -> PolicyInput {
        let content = try readFile(file, limitBytes: FileReader.fileBytes)
        let ledger: Ledger? = FileManager.default.fileExists(atPath: ledgerPath) ? try await existingLedger() : nil
        if content.begins(with: "{\"") { return try await signedPolicy(content, ledger) }
        let chain: PolicyChain? = if let ledger { try await Context.policyChain(of: ledger) } else { nil }
        let now = Context.clock.wall()
        let policy = try PolicyFile.read(
            text: content, file: file, ledger: ledger?.id ?? Context.noLedger,
            version: (chain?.current.version ?? 0) + 1, issuedAt: max(now, chain?.current.issuedAt.time ?? now))
        let inventory: FleetInventory? = if let ledger { try await ledger.currentInventory() } else { nil }
        return PolicyInput(policy: policy, text: nil, chain: chain, inventory: inventory, hasLedger: ledger != nil)
    }

    /// In place of the ledger's identity where a file is only checked.
    private static let noLedger: LedgerID = "l-none"

    private func signedPolicy(_ text: String, _ ledger: Ledger?) async throws -> PolicyInput {
        let policy = try Policy.read(text)
        guard let ledger, ledger.id == policy.ledger else {
            return PolicyInput(policy: policy, text: text, chain: nil, inventory: nil, hasLedger: false)
        }
        return PolicyInput(
            policy: policy, text: text, chain: try await Context.policyChain(of: ledger),
            inventory: try await ledger.currentInventory(), hasLedger: true)
    }
}

extension PolicyProblem {
    /// As an error of a command.
    ///
    /// - Parameter file: the text that is signed, if the problem is one of its signatures.
    func error(in file: String, consequence: String = "Nothing was recorded.") -> CommandError {
        switch self {
        case .unsigned, .tooFewSigners:
            CommandError(.refused, words, consequence: consequence, next: .signPolicy(file: file, key: nil))
        case .equal, .older, .skipped, .issuedEarlier, .revocationTakenBack:
            CommandError(.refused, words, consequence: consequence, next: .showPolicy(version: nil))
        case .unreadable, .wrongPurpose, .flawed, .empty, .notFirst, .otherFingerprint, .otherLedger:
            CommandError(.refused, "\(file): \(words)", consequence: consequence)
        }
    }
}

extension Context {
    /// The ledger's policy with its records; throws if it has none.
    func requiredPolicy(of ledger: Ledger) async throws -> ([StoredPolicy], PolicyChain) {
        guard let chain = try await Context.policyChain(of: ledger) else {
            throw CommandError(
                .refused, "the ledger has no policy: approvals are claims of operating-system users",
                next: .initPolicy(file: nil))
        }
        return (try await ledger.policies(), chain)
    }
}

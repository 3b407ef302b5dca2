import Approvals
import CoordinatorRuntime
import FileReading
import Foundation
import Ledger
import OperatorCommands
import PolicyFiles
import RunRecord
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
    /// The ledger of this machine, if the text is about another one.
    var otherLedger: LedgerID?

    /// What it changes in the version before; nil if there is none.
    var changes: [String]? { before.map { policy.changes(since: $0) } }
    var before: Policy? { chain?[version: policy.version - 1] }

    /// Whether it is a version that the ledger has already, byte for byte.
    var isStored: Bool {
        guard let text, let stored = chain?.signed else { return false }
        return stored.contains { $0.text.isSpelled(text) }
    }

    /// Refuses what `policy add` would refuse whoever signs it. A text about a ledger that this machine does not have is
    /// judged where that ledger is.
    func requireAddable() throws(PolicyProblem) {
        guard hasLedger else { return }
        if let chain {
            try chain.requireFollows(policy)
        } else if policy.version != 1 {
            throw .notFirst(policy.version)
        }
    }

    /// What the operator should look at before anybody signs: layers that nobody, or nothing, has, and rules that nobody can
    /// keep.
    var remarks: [TerminalText] {
        var remarks = accountRemarks
        if text != nil, !hasLedger, let otherLedger {
            remarks.append(
                "it is about the ledger \(policy.ledger), and the one here is \(otherLedger): it can only be added where that "
                    + "ledger is")
        }
        return remarks + layerRemarks
    }

    private var accountRemarks: [TerminalText] {
        let rules = [("notAuthor", policy.rules.notAuthor), ("notStarter", policy.rules.notStarter)].filter(\.1).map(
            \.0)
        let nameless = policy.people.filter { $0.value.accounts == nil }.map(\.key).sorted().map(\.rawValue)
        guard !rules.isEmpty, !nameless.isEmpty else { return [] }
        return [
            "rules.\(rules.joined(separator: " and rules."))"
                + " \(rules.count == 1 ? "knows" : "know") people by their 'accounts' on the coordinator's machine, and "
                + "\(nameless.joined(separator: ", ")) \(nameless.count == 1 ? "has" : "have") none: nothing is permitted if "
                + "an account that nobody has added the plan or started the run"
        ]
    }

    private var layerRemarks: [TerminalText] {
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
    ///
    /// - Throws: if runs of the ledger went by a policy that it no longer has.
    static func policyChain(of ledger: Ledger) async throws -> PolicyChain? {
        let stored = try await ledger.policies()
        if let loss = try await ledger.policyLoss(stored) {
            throw CommandError(
                .refused, loss.words,
                consequence:
                    "Nothing was recorded: somebody changed the file of the ledger. Restore a backup from before.",
                next: .verifyLedger(file: nil))
        }
        return try chain(of: stored, in: ledger)
    }

    /// The versions that a ledger has, verified, whatever its runs say.
    static func chain(of stored: [StoredPolicy], in ledger: Ledger) throws -> PolicyChain? {
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
            return PolicyInput(
                policy: policy, text: text, chain: nil, inventory: nil, hasLedger: false, otherLedger: ledger?.id)
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
        case .equal, .older, .skipped, .issuedEarlier, .revocationTakenBack, .tooFewAble:
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

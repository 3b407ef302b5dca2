import Approvals
import FleetAccess
import Foundation
import OperatorCommands
import SafeText
import UpgradeDomain

/// Lets people sign a text: with a key file, or with a key of theirs that the ssh-agent holds.
struct StatementSigner {
    /// How the signing ended for a person.
    enum Outcome {
        case signed(String)
        /// No key of the person is at hand.
        case noKey
    }

    let context: Context
    let policy: Policy
    /// The file that `--key` names; nil for the ssh-agent.
    let key: String?
    private let agent: AgentKeys

    init(_ context: Context, under policy: Policy, key: String?) async {
        self.context = context
        self.policy = policy
        self.key = key
        agent = key == nil ? await AgentKeys(of: context.environment) : await AgentKeys(of: [:])
    }

    /// - Throws: if the policy does not name the person, or the key did not sign.
    func sign(_ text: String, as purpose: Purpose, by person: Owner) async throws -> Outcome {
        guard let keys = policy.people[person] else {
            throw CommandError(
                .refused, "version \(policy.version) of the policy names no person '\(person)'",
                consequence: "Nothing was signed. It names "
                    + "\(policy.people.keys.sorted().map(\.rawValue).joined(separator: ", ")).",
                next: .showPolicy(version: nil))
        }
        let program = SignatureProgram(environment: context.environment)
        if let key {
            return .signed(try await program.sign(text, namespace: purpose.namespace, key: key))
        }
        let wanted = (purpose == .breakGlass ? keys.breakGlassKeys : keys.keys) ?? []
        guard let held = agent.lines.first(where: wanted.contains) else { return .noKey }
        let path = FileManager.default.temporaryDirectory.path + "/lockflight-\(UUID().uuidString).pub"
        try Data("\(held)\n".utf8).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return .signed(try await program.sign(text, namespace: purpose.namespace, key: path))
    }
}

extension StatementID {
    /// 128 random bits.
    static func random() -> StatementID {
        let halves = (0..<2).map { _ in UInt64.random(in: .min ... .max) }
        return StatementID(
            halves.map { half in
                let digits = String(half, radix: 16)
                return String(repeating: "0", count: 16 - digits.utf8.count) + digits
            }.joined())
    }
}

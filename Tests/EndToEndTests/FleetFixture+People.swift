import Approvals
import ContentDigest
import Foundation
import LabFleet
import Ledger
import Subprocess
import Testing
import UpgradeDomain

/// People with real keys, and the policy that names them.
extension FleetFixture {
    /// Makes a key without a passphrase.
    ///
    /// - Returns: its path.
    @discardableResult
    func makeKey(_ name: String) async throws -> String {
        let path = "\(folder)/key-\(name)"
        let made = try await execute(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], environment)
        try #require(made.code == 0, "\(made)")
        return path
    }

    func key(_ name: String) -> String { "\(folder)/key-\(name)" }

    private func person(_ name: String, breakGlass: String?) throws -> PolicyPerson {
        func line(_ key: String) throws -> String {
            let text = try String(contentsOfFile: "\(key).pub", encoding: .utf8)
            return text.split(separator: " ").prefix(2).joined(separator: " ")
        }
        return PolicyPerson(keys: [try line(key(name))], breakGlassKeys: try breakGlass.map { [try line(key($0))] })
    }

    /// Stores version 1 of a policy, signed by the owner of the first layer: each layer has its owner and a deputy, of whom
    /// `threshold` must approve. The person `night` is on call. The owner of the layer core has a key for break-glass.
    func storePolicy(threshold: Int = 1, notAuthor: Bool = false) async throws {
        let layers = lab.layout.layers
        let names = layers.map { "\($0)-owner" } + ["deputy", "night"]
        for name in names + ["break-glass"] { try await makeKey(name) }
        let ledger = try await Ledger.openExisting(at: "\(folder)/ledger.sqlite")
        let people = Dictionary(
            uniqueKeysWithValues: try names.map { name in
                (Owner(name), try person(name, breakGlass: name == "core-owner" ? "break-glass" : nil))
            })
        let policy = Policy(
            ledger: ledger.id, version: 1, issuedAt: WallTime(clamping: Int64(Date().timeIntervalSince1970 * 1_000)),
            people: people, signers: PolicyGroup(people: [Owner(names[0])]),
            layers: Dictionary(
                uniqueKeysWithValues: layers.map { layer in
                    (layer, PolicyLayer(owners: [Owner("\(layer)-owner"), "deputy"], threshold: threshold))
                }), onCall: PolicyGroup(people: ["night"]), rules: PolicyRules(notAuthor: notAuthor))
        let text = try policy.text()
        let signature = try await sign(text, for: .policy, with: names[0])
        try await ledger.addPolicy(
            SignedStatement(text: text, signatures: [signature]), version: 1, by: "tests", at: policy.issuedAt.time)
    }

    /// Signs as a person would on another machine, with `ssh-keygen`.
    func sign(_ text: String, for purpose: Purpose, with name: String) async throws -> String {
        let file = "\(folder)/to-sign-\(UUID().uuidString)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let signed = try await execute(
            ["ssh-keygen", "-Y", "sign", "-n", purpose.namespace, "-f", key(name), file], environment)
        try #require(signed.code == 0, "\(signed)")
        return try String(contentsOfFile: "\(file).sig", encoding: .utf8)
    }

    /// Stores the lab's plan for a version, optionally changed, and approves nothing.
    ///
    /// - Returns: its digest.
    func addPlan(to version: Version, change: (String) -> String = { $0 }) async throws -> String {
        let text = try String(contentsOfFile: lab.planPath(to: version), encoding: .utf8)
        let path = "\(folder)/plan-unapproved.yaml"
        try change(text).replacing("healthyWithinSeconds: 8", with: "healthyWithinSeconds: 30")
            .replacing("maxAgeSeconds: 3}", with: "maxAgeSeconds: 15}")
            .write(toFile: path, atomically: true, encoding: .utf8)
        let added = try await expect(.verified, "plan", "add", path, "--json")
        return try #require(try added.document().value(at: "/digest")?.scalarText)
    }

    /// Approves a plan in the names of these people, each with their key file.
    func approve(_ plan: String, as names: String..., options: [String] = []) async throws {
        for name in names {
            let approved = try await run(["plan", "approve", plan, "--as", name, "--key", key(name)] + options)
            #expect(approved.code == Exit.verified.rawValue, "\(approved)")
        }
    }

    /// Runs a body with an ssh-agent that holds the key of a person, whose file is gone then.
    func withAgent(
        holding name: String, _ body: (_ environment: Environment) async throws -> Void
    ) async throws {
        let socket = "\(folder)/agent"
        let agent = try await execute(["ssh-agent", "-a", socket], environment)
        let process = try #require(agent.output.firstMatch(of: /SSH_AGENT_PID=(\d+)/).flatMap { pid_t($0.1) })
        defer { kill(process, SIGTERM) }
        let variables = environment.updating(["SSH_AUTH_SOCK": socket])
        let added = try await execute(["ssh-add", "-q", key(name)], variables)
        try #require(added.code == 0, "\(added)")
        try FileManager.default.removeItem(atPath: key(name))
        try await body(variables)
    }
}

import Approvals
import FileReading
import Foundation
import PolicyFiles
import SSHSignatures
import Testing
import UpgradeDomain

/// Policy files: what they say, what is refused at which line, and the drafts that `policy init` writes.
struct PolicyFileTests {
    private static let small = """
        format: 1
        people:
          ana: {keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMjKCJpAkyyd2D9nLG4qcaX2Se484Mz31wgSuYap2nUA]}
          bo: {keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII5s2s3jmX38yDMyWXhIQxprAhda6GwdKEpexNmyLOwf]}
        signers: {people: [ana, bo], threshold: 2}
        layers:
          core: {owners: [ana, bo]}
        """

    @Test func theExampleSaysWhatItsCommentsSay() throws {
        let policy = try Examples.policy(Examples.text("examples/policy.yaml"))
        #expect(policy.problems.isEmpty && policy.version == 1 && policy.ledger == "l-0")
        // A comment behind a key is not part of it.
        #expect(policy.people["ana"]?.keys.allSatisfy { $0.split(separator: " ").count == 2 } == true)
        #expect(policy.people["ana"]?.accounts == ["ana"] && policy.people["bo"]?.accounts == nil)
        #expect(policy.layers["core"] == PolicyLayer(owners: ["ana", "bo"], threshold: 1, oneWayThreshold: 2))
        #expect(policy.signers == PolicyGroup(people: ["ana", "bo"], threshold: 2))
        #expect(policy.rules == PolicyRules(notAuthor: true, minimumRSABits: 3_072))
        #expect(policy.revokedKeys.count == 1 && policy.onCall == PolicyGroup(people: ["bo"]))
    }

    @Test func defaults() throws {
        let policy = try Examples.policy(PolicyFileTests.small)
        #expect(policy.rules == PolicyRules() && policy.rules.requiresTouch && policy.rules.minimumRSABits == nil)
        #expect(policy.onCall == nil && policy.builders == nil && policy.revokedKeys.isEmpty)
    }

    /// One edit of the small file, the line that is named, and what is said there.
    struct Mistake: Sendable, CustomTestStringConvertible {
        var old: String
        var new: String
        var line: Int
        var message: String
        var testDescription: String { message }

        init(_ old: String, _ new: String, _ line: Int, _ message: String) {
            (self.old, self.new, self.line, self.message) = (old, new, line, message)
        }
    }

    private static let anaKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMjKCJpAkyyd2D9nLG4qcaX2Se484Mz31wgSuYap2nUA"

    static let mistakes = [
        Mistake("threshold: 2", "threshold: 3", 5, "signers.threshold is 3, and there are 2 people"),
        Mistake("owners: [ana, bo]", "owners: [ana]", 7, "layers.core.oneWayThreshold is 2, and there is 1 person"),
        Mistake(
            "owners: [ana, bo]", "owners: [ana, dora]", 7, "layers.core.owners names dora, who is not under 'people'"),
        Mistake("owners: [ana, bo]", "owner: [ana, bo]", 7, "the file.layers.core has no key 'owner'"),
        Mistake("[\(anaKey)]", "[]", 3, "ana has no keys"),
        Mistake("[\(anaKey)]", "[ssh-ed25519 AAAA]", 3, "the file.people.ana.keys[1] is no key that counts: "),
        Mistake("ana: {", "-ana: {", 3, "'-ana' is not a valid person name"),
        Mistake("format: 1", "format: 2", 1, "the file.format is 2"),
        Mistake("signers: {people: [ana, bo], threshold: 2}", "# nobody", 1, "the file is missing the key 'signers'"),
        Mistake("  core: {owners: [ana, bo]}", "", 6, "no layer has owners"),
        Mistake("signers:", "revokedKeys: [x]\nsigners:", 5, "the file.revokedKeys[1] is no fingerprint"),
        Mistake("signers:", "rules: {minimumRSABits: 2048}\nsigners:", 5, "the file.rules.minimumRSABits is 2048"),
    ]

    @Test(arguments: mistakes)
    func aMistakeIsNamedWithItsLine(_ mistake: Mistake) throws {
        let text = PolicyFileTests.small.replacingOccurrences(of: mistake.old, with: mistake.new)
        #expect(text != PolicyFileTests.small)
        let problems = Examples.problems(policy: text)
        let found = try #require(problems.first { $0.message.hasPrefix(mistake.message) }, "\(problems)")
        #expect(found.line == mistake.line && !found.remedy.isEmpty, "\(found)")
    }

    @Test func oneKeyUnderTwoPeopleIsRefusedAtTheSecondOne() throws {
        let text = PolicyFileTests.small.replacingOccurrences(
            of: "AAAAC3NzaC1lZDI1NTE5AAAAII5s2s3jmX38yDMyWXhIQxprAhda6GwdKEpexNmyLOwf",
            with: "AAAAC3NzaC1lZDI1NTE5AAAAIMjKCJpAkyyd2D9nLG4qcaX2Se484Mz31wgSuYap2nUA bo")
        let problems = Examples.problems(policy: text)
        #expect(problems.map(\.line) == [4])
        #expect(problems.first?.message.hasSuffix("is in the keys of ana and in the keys of bo") == true)
    }

    @Test func aKeyToRevokeMayBeWrittenWhole() throws {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnSPlrjxXZGSa4I6RLTp9bDmhUSj+zsNkprl0wtCYvK stolen"
        let policy = try Examples.policy(PolicyFileTests.small + "\nrevokedKeys: [\(key)]\n")
        #expect(policy.revokedKeys == ["SHA256:NIHMjTxloFXVKLJJG1Uoi6ROsTLYK5J6SP8m7xNjrzU"])
        let line = "256 SHA256:NIHMjTxloFXVKLJJG1Uoi6ROsTLYK5J6SP8m7xNjrzU stolen (ED25519)"
        let pasted = try Examples.policy(PolicyFileTests.small + "\nrevokedKeys: [\(line)]\n")
        #expect(pasted.revokedKeys == policy.revokedKeys)
    }

    // MARK: Drafts

    private static let fleet = FleetInventory(
        layers: [
            InventoryLayer(name: "data", owners: ["ana", "bo"]), InventoryLayer(name: "core", owners: ["null", "bo"]),
            InventoryLayer(name: "edge", owners: ["bo"]),
        ], hosts: [])

    private func draft(_ signers: String = "") throws -> PolicyDraft {
        let entries = try AllowedSigners.entries(signers)
        return PolicyDraft(
            inventory: PolicyFileTests.fleet,
            signers: signers.isEmpty ? [] : [PolicyDraft.SignersFile(name: "signers", entries: entries)])
    }

    @Test func aDraftWithoutKeysSaysWhatIsMissing() throws {
        let draft = try draft()
        #expect(draft.peopleWithoutKeys == ["ana", "bo", "null"])
        let problems = Examples.problems(policy: draft.text)
        #expect(problems.map(\.message) == ["ana has no keys", "bo has no keys", "null has no keys"], "\(problems)")
        #expect(problems.map(\.line) == ["  ana:", "  bo:", "  \"null\":"].map { draft.text.line(of: $0) })
    }

    @Test func allowedSignersBecomeTheOwnersKeys() throws {
        let keys = PolicyFileTests.keys
        let draft = try draft(
            """
            # The team's
            ana@example.net \(keys[0]) laptop
            bo,bob namespaces="git" \(keys[1])
            null \(keys[2])
            zoe \(keys[3])
            bo \(keys[0])
            """)
        #expect(draft.peopleWithoutKeys.isEmpty)
        let policy = try Examples.policy(draft.text)
        #expect(policy.people.mapValues(\.keys) == ["ana": [keys[0]], "bo": [keys[1]], "null": [keys[2]]])
        #expect(policy.layers["edge"] == PolicyLayer(owners: ["bo"], oneWayThreshold: 1))
        #expect(policy.signers == PolicyGroup(people: ["ana", "bo", "null"], threshold: 2))
        #expect(draft.text.contains("signers:3, there only for git"))
        #expect(draft.text.contains("zoe: \(keys[3])   # owns no layer"))
        #expect(draft.text.contains("bo: \(keys[0])   # the key is above already"))
    }

    private static let keys = [
        "AAAAC3NzaC1lZDI1NTE5AAAAIMjKCJpAkyyd2D9nLG4qcaX2Se484Mz31wgSuYap2nUA",
        "AAAAC3NzaC1lZDI1NTE5AAAAII5s2s3jmX38yDMyWXhIQxprAhda6GwdKEpexNmyLOwf",
        "AAAAC3NzaC1lZDI1NTE5AAAAIJTYLrMToG3mfVbCkLbMkZPPINezvD35JHqmS2CB6qt5",
        "AAAAC3NzaC1lZDI1NTE5AAAAIBnSPlrjxXZGSa4I6RLTp9bDmhUSj+zsNkprl0wtCYvK",
    ].map { "ssh-ed25519 \($0)" }

    /// The current version, written as a file, reads back as the same policy.
    @Test func aPolicyAsAFileIsThePolicy() throws {
        for text in [PolicyFileTests.small, try Examples.text("examples/policy.yaml")] {
            let policy = try Examples.policy(text)
            #expect(try Examples.policy(PolicyDraft(policy).text) == policy)
        }
    }
}

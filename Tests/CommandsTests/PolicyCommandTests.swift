import ArgumentParser
import ContentDigest
import Foundation
import Ledger
import OperatorCommands
import SafeText
import Testing
import UpgradeDomain

@testable import Approvals
@testable import Commands

/// The way of a policy from an inventory into the ledger, with two people on two machines and the real `ssh-keygen`.
struct PolicyCommandTests {
    private let desk = PolicyDesk()

    /// Ana's machine has the ledger.
    private func startLedger() async throws {
        try desk.prepare()
        let ledger = try await Ledger.openMakingFolders(at: desk.ana.ledgerPath)
        let layers = [
            InventoryLayer(name: "data", owners: ["ana", "bo"]), InventoryLayer(name: "core", owners: ["ana", "bo"]),
        ]
        _ = try await ledger.changeInventory(by: "ana", at: WallTime(clamping: 1)) { _ in
            FleetInventory(layers: layers, hosts: [])
        }
    }

    /// A file of allowed signers becomes a policy file, and that a text which ana has signed.
    private func signedByAna() async throws {
        try await startLedger()
        try desk.allowedSigners("ana", "bo").write(toFile: desk.path("signers"), atomically: true, encoding: .utf8)
        let written = try await PolicyInit.parse(
            ["--allowed-signers", desk.path("signers"), "--out", desk.path("policy.yaml")]
        ).perform(desk.ana)
        #expect(written.next == [.checkPolicy(file: desk.path("policy.yaml"))])
        let checked = try await PolicyCheck.parse([desk.path("policy.yaml")]).perform(desk.ana)
        #expect(checked.text.contains("is a valid policy; signed, it would be version 1"))
        #expect(checked.text.contains("signers    2 of ana, bo, who decide about this policy"))
        let signed = try await PolicySign.parse([desk.path("policy.yaml"), "--key", desk.path("ana")]).perform(desk.ana)
        #expect(signed.text.contains("signed     1 of 2 that version 1 asks for: ana"))
        #expect(signed.remarkText.contains("still to sign: bo; send them \(desk.path("policy-v1.json"))"))
        #expect(signed.next == [.signPolicy(file: desk.path("policy-v1.json"), key: nil)])
    }

    /// Bo has no ledger, only what ana sent, and sends back the signature.
    private func signedByBo(_ name: String = "policy-v1.json", onlyReads: Bool = false) async throws -> CommandResult {
        let here = desk.path("bo's/\(name)")
        try desk.copy(name, to: "bo's/\(name)")
        let result = try await PolicySign.parse([here] + (onlyReads ? [] : ["--key", desk.path("bo")])).perform(desk.bo)
        if !onlyReads { try desk.copy("bo's/\(name).bo.sig", to: "\(name).bo.sig") }
        return result
    }

    @Test func twoPeopleSignAFirstPolicy() async throws {
        defer { desk.remove() }
        try await signedByAna()
        let file = desk.path("policy-v1.json")

        let early = try await desk.refusal { _ = try await PolicyAdd.parse([file]).perform(desk.ana) }
        #expect(early.message == "version 1 needs 2 of its own signers (ana, bo), and only ana of them signed it")
        #expect(early.next == .signPolicy(file: file, key: nil))

        let read = try await signedByBo(onlyReads: true)
        #expect(read.text.contains("layer      core: 1 of ana, bo; 2 where a plan can not take it back"))
        #expect(read.remarkText.contains("ssh-keygen -Y sign -n policy.v1@lockflight -f KEY -- "))
        _ = try await signedByBo()
        let added = try await PolicyAdd.parse([file]).perform(desk.ana)
        let fingerprint = Digest.sha256(of: Array(try desk.read("policy-v1.json").utf8))
        #expect(added.text.contains("version 1 of the policy is stored, signed by ana, bo"))
        #expect(added.text.contains("fingerprint \(fingerprint)"))
        #expect(added.remarkText.contains("from now on only signed approvals count"))

        let shown = try await PolicyShow.parse([]).perform(desk.ana)
        #expect(
            shown.text.contains("fingerprint \(fingerprint)")
                && shown.text.contains("signed by ana, bo; added by OS user"))
        let log = try await PolicyLog.parse([]).perform(desk.ana)
        #expect(log.lines.count == 3 && log.text.contains("the first version"))
        let again = try await desk.refusal { _ = try await PolicyAdd.parse([file]).perform(desk.ana) }
        #expect(again.message == "version 1 is the current one already; the next is 2")
        let same = try await desk.refusal {
            _ = try await PolicySign.parse([desk.path("policy.yaml")]).perform(desk.ana)
        }
        #expect(same.message.hasSuffix("says the same as version 1, the current one"))
    }

    @Test func theNextVersionIsEditedFromTheCurrentOne() async throws {
        defer { desk.remove() }
        try await signedByAna()
        _ = try await signedByBo()
        _ = try await PolicyAdd.parse([desk.path("policy-v1.json")]).perform(desk.ana)

        _ = try await PolicyInit.parse(["--out", desk.path("next.yaml")]).perform(desk.ana)
        let text = try desk.read("next.yaml")
        try text.replacing("notAuthor: false", with: "notAuthor: true").write(
            toFile: desk.path("next.yaml"), atomically: true, encoding: .utf8)
        let change = "the author of a plan does not count among those who approve it"
        let checked = try await PolicyCheck.parse([desk.path("next.yaml")]).perform(desk.ana)
        #expect(checked.text.contains("it would be version 2") && checked.text.contains("change     rules: \(change)"))
        #expect(checked.remarkText.contains("rules.notAuthor knows people by their 'accounts'"))
        #expect(checked.remarkText.contains("ana, bo have none"))
        _ = try await PolicySign.parse([desk.path("next.yaml"), "--key", desk.path("ana")]).perform(desk.ana)
        // Bo does not know version 1, and is told so.
        let bo = try await signedByBo("policy-v2.json")
        #expect(bo.remarkText.contains("this machine does not know version 1"))
        let added = try await PolicyAdd.parse([desk.path("policy-v2.json")]).perform(desk.ana)
        #expect(
            added.text.contains("version 2 of the policy is stored")
                && added.text.contains("change     rules: \(change)"))
        #expect(!added.remarkText.contains("from now on"))
        let first = try await PolicyShow.parse(["--version", "1"]).perform(desk.ana)
        #expect(first.text.contains("replaced by version 2") && first.text.contains("may approve it"))
        let log = try await PolicyLog.parse([]).perform(desk.ana)
        #expect(log.text.contains(change))
        let none = try await desk.refusal { _ = try await PolicyShow.parse(["--version", "3"]).perform(desk.ana) }
        #expect(none.message == "the ledger has no version 3 of the policy; the newest is 2")
        let known = try await PolicyCheck.parse([desk.path("policy-v1.json")]).perform(desk.ana)
        #expect(known.remarkText.contains("the ledger has this version already"))
        let old = try await desk.refusal {
            _ = try await PolicySign.parse([desk.path("policy-v1.json")]).perform(desk.ana)
        }
        #expect(old.message == "version 1 is older than the current version 2: a version never comes back")
    }

    @Test func aVersionThatTakesARevocationBackIsNotSigned() async throws {
        defer { desk.remove() }
        try await signedByAna()
        _ = try await signedByBo()
        _ = try await PolicyAdd.parse([desk.path("policy-v1.json")]).perform(desk.ana)
        try desk.makeKey("stranger")
        _ = try await PolicyInit.parse(["--out", desk.path("next.yaml")]).perform(desk.ana)
        let text = try desk.read("next.yaml")
        let revoking = text.replacing(
            "revokedKeys: []", with: "revokedKeys: [\"\(try desk.read("stranger.pub").dropLast())\"]")
        try #require(revoking != text)
        try revoking.write(toFile: desk.path("next.yaml"), atomically: true, encoding: .utf8)
        _ = try await PolicySign.parse([desk.path("next.yaml"), "--key", desk.path("ana")]).perform(desk.ana)
        _ = try await signedByBo("policy-v2.json")
        _ = try await PolicyAdd.parse([desk.path("policy-v2.json")]).perform(desk.ana)
        try text.write(toFile: desk.path("next.yaml"), atomically: true, encoding: .utf8)
        let file = [desk.path("next.yaml")]
        for problem in [
            try await desk.refusal { _ = try await PolicyCheck.parse(file).perform(desk.ana) },
            try await desk.refusal { _ = try await PolicySign.parse(file).perform(desk.ana) },
        ] {
            #expect(problem.message.hasSuffix("a revoked key stays revoked"), "\(problem.message)")
        }
        #expect(!FileManager.default.fileExists(atPath: desk.path("policy-v3.json")))
    }

    @Test func signaturesInOneFileAndOfOthersAreToldApart() async throws {
        defer { desk.remove() }
        try await signedByAna()
        _ = try await signedByBo()
        let file = desk.path("policy-v1.json")
        // What a person without this program does, with a key that nobody knows.
        try desk.makeKey("stranger")
        try desk.keygen(["-Y", "sign", "-n", "policy.v1@lockflight", "-f", desk.path("stranger"), file])
        let all = try ["policy-v1.json.ana.sig", "policy-v1.json.sig", "policy-v1.json.bo.sig"].map(desk.read).joined(
            separator: "\n")
        try all.write(toFile: desk.path("all"), atomically: true, encoding: .utf8)
        let added = try await PolicyAdd.parse([file, "--signature", desk.path("all")]).perform(desk.ana)
        #expect(added.remarkText.contains("signature 2 (SHA256:"))
        #expect(added.remarkText.contains("does not count: the policy does not name this key"))
        let stored = try await Ledger.openReadOnly(at: desk.ana.ledgerPath).policies()
        #expect(stored.map(\.signed.signatures.count) == [2])
        #expect(stored.map(\.fingerprint) == [Digest.sha256(of: Array(try desk.read("policy-v1.json").utf8))])
    }

    /// A person of the policy may sign its text, and has no say about it.
    @Test func whoIsNoSignerIsToldSo() async throws {
        defer { desk.remove() }
        try await startLedger()
        try desk.allowedSigners("ana", "bo").write(toFile: desk.path("signers"), atomically: true, encoding: .utf8)
        _ = try await PolicyInit.parse(
            ["--allowed-signers", desk.path("signers"), "--out", desk.path("policy.yaml")]
        ).perform(desk.ana)
        let text = try desk.read("policy.yaml")
        let edited = text.replacing("signers: {people: [ana, bo], threshold: 2}", with: "signers: {people: [bo]}")
        try #require(edited != text, "\(text)")
        try edited.write(toFile: desk.path("policy.yaml"), atomically: true, encoding: .utf8)
        let signed = try await PolicySign.parse([desk.path("policy.yaml"), "--key", desk.path("ana")]).perform(desk.ana)
        #expect(
            signed.remarkText.contains(
                "ana is no signer of this policy, so this signature does not count; its signers: bo"))
        #expect(signed.text.contains("signed     0 of 1 that version 1 asks for"))
        _ = try await signedByBo()
        let added = try await PolicyAdd.parse([desk.path("policy-v1.json")]).perform(desk.ana)
        #expect(added.text.contains("is stored, signed by bo"))
        #expect(added.remarkText.contains("ana is no signer of this policy"))
        for result in [
            try await PolicyShow.parse([]).perform(desk.ana), try await PolicyLog.parse([]).perform(desk.ana),
        ] {
            #expect(!result.text.contains("ana, bo  ") && !result.text.contains("signed by ana"), "\(result.text)")
            #expect((result.document as? PolicyDocument)?.signedBy ?? ["bo"] == ["bo"])
        }
    }

    @Test func whatCanNotBeSignedOrAddedIsNamed() async throws {
        defer { desk.remove() }
        try await signedByAna()
        let (yaml, file) = (desk.path("policy.yaml"), desk.path("policy-v1.json"))
        let edited = try await desk.refusal { _ = try await PolicyAdd.parse([yaml]).perform(desk.ana) }
        #expect(edited.next == .signPolicy(file: yaml, key: nil))
        try desk.makeKey("stranger")
        let stranger = try await desk.refusal {
            _ = try await PolicySign.parse([file, "--key", desk.path("stranger")]).perform(desk.ana)
        }
        #expect(stranger.message.hasSuffix("belongs to nobody in the policy"))
        // Signed already, and now the file says something else.
        let text = try desk.read("policy.yaml")
        try text.replacing("notStarter: false", with: "notStarter: true").write(
            toFile: yaml, atomically: true, encoding: .utf8)
        let other = try await desk.refusal { _ = try await PolicySign.parse([yaml]).perform(desk.ana) }
        #expect(other.message == "\(file) exists, and says something else than \(yaml)")
        #expect(other.next == .program(words: ["rm", "--", file, file + ".ana.sig"]))
        // An editor's line end.
        try (try desk.read("policy-v1.json") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let ended = try await desk.refusal { _ = try await PolicyAdd.parse([file]).perform(desk.ana) }
        #expect(ended.message.contains("a line end follows it, which an editor may have added"))
        try "hello\n".write(toFile: desk.path("mail"), atomically: true, encoding: .utf8)
        let mail = try await desk.refusal {
            _ = try await PolicyAdd.parse([file, "--signature", desk.path("mail")]).perform(desk.ana)
        }
        #expect(mail.message.hasSuffix("has something else beside its signatures: hello"))
    }

    @Test func aLedgerWithoutAPolicySaysHowToBegin() async throws {
        defer { desk.remove() }
        try await startLedger()
        let none = try await desk.refusal { _ = try await PolicyShow.parse([]).perform(desk.ana) }
        #expect(none.message.hasPrefix("the ledger has no policy") && none.next == .initPolicy(file: nil))
        let drafted = try await PolicyInit.parse(["--out", desk.path("policy.yaml")]).perform(desk.ana)
        #expect(drafted.remarkText == "edit it: keys are missing of ana, bo")
        let error = await #expect(throws: (any Error).self) {
            try await PolicyCheck.parse([desk.path("policy.yaml")]).perform(desk.ana)
        }
        let reported = error.map { CommandError(reporting: $0).message } ?? ""
        #expect(reported.contains("ana has no keys; write 1 to 16, each as in a .pub file"), "\(reported)")
        let twice = try await desk.refusal {
            _ = try await PolicyInit.parse(["--out", desk.path("policy.yaml")]).perform(desk.ana)
        }
        #expect(twice.next == .checkPolicy(file: desk.path("policy.yaml")))
        try "bo cert-authority ssh-ed25519 AAAA\n".write(
            toFile: desk.path("signers"), atomically: true, encoding: .utf8)
        let signers = try await desk.refusal {
            _ = try await PolicyInit.parse(
                ["--allowed-signers", desk.path("signers"), "--out", desk.path("other.yaml")]
            ).perform(desk.ana)
        }
        #expect(signers.message.contains("line 1: certificates are not supported"))
    }

    private static let trigger = """
        CREATE TRIGGER policies_keep_update BEFORE UPDATE ON policies
            BEGIN SELECT RAISE(ABORT, 'policies are append-only'); END;
        """

    private func verified() async throws -> String {
        let result = try await LedgerVerify.parse([]).perform(desk.ana)
        #expect(result.status == .failure)
        return result.text
    }

    /// A policy that was changed in the file of the ledger is not trusted.
    @Test func anEditedLedgerIsNotTrusted() async throws {
        defer { desk.remove() }
        try await signedByAna()
        _ = try await signedByBo()
        _ = try await PolicyAdd.parse([desk.path("policy-v1.json")]).perform(desk.ana)
        try desk.sqlite(
            """
            DROP TRIGGER policies_keep_update;
            UPDATE policies SET text = replace(text, '"oneWayThreshold":2', '"oneWayThreshold":1');
            """)
        let edited = await #expect(throws: PolicyProblem.self) { try await PolicyShow.parse([]).perform(desk.ana) }
        #expect(edited?.words.contains("it is another policy") == true)
        #expect(try await verified().contains("version 1 of the policy does not match its digest"))
        // With a digest that matches, the signatures still do not.
        let digest = Digest.sha256(
            of: Array(
                try desk.read("policy-v1.json").replacing(#""oneWayThreshold":2"#, with: #""oneWayThreshold":1"#).utf8))
        try desk.sqlite("UPDATE policies SET digest = '\(digest)'; \(PolicyCommandTests.trigger)")
        #expect(
            try await verified().contains(
                "policyNotTrusted: version 1 needs 2 of its own signers (ana, bo), and none of them"))
    }
}

/// A folder for two people: ana's has the ledger.
private struct PolicyDesk {
    let folder = NSTemporaryDirectory() + "lockflight-policy-\(UUID().uuidString)"

    func path(_ name: String) -> String { "\(folder)/\(name)" }
    func read(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    func prepare() throws {
        for name in [folder, path("bo's")] {
            try FileManager.default.createDirectory(
                atPath: name, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        try makeKey("ana")
        try makeKey("bo")
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    func copy(_ name: String, to other: String) throws {
        try? FileManager.default.removeItem(atPath: path(other))
        try FileManager.default.copyItem(atPath: path(name), toPath: path(other))
    }

    func makeKey(_ name: String) throws { try keygen(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path(name)]) }

    func allowedSigners(_ names: String...) throws -> String {
        try names.map { "\($0)@example.net \(try read("\($0).pub"))" }.joined()
    }

    func keygen(_ arguments: [String]) throws { try run(["ssh-keygen"] + arguments) }
    func sqlite(_ sql: String) throws { try run(["sqlite3", ana.ledgerPath, sql]) }

    private func run(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(words)")
    }

    var ana: Context { context("\(folder)/ledger/ledger.sqlite") }
    var bo: Context { context("\(folder)/bo's/none.sqlite") }

    private func context(_ ledger: String) -> Context {
        Context(
            commandLines: CommandLines(), ledgerPath: ledger, isJSON: false, style: .plain, width: 200,
            isTerminal: false, environment: [:])
    }

    /// What a command is refused with.
    func refusal(_ body: () async throws -> Void) async throws -> CommandError {
        do {
            try await body()
        } catch {
            return CommandError(reporting: error)
        }
        throw NotRefused()
    }

    private struct NotRefused: Error {}
}

extension CommandResult {
    var text: String { lines.map(\.written).joined(separator: "\n") }
    var remarkText: String { remarks.map(\.written).joined(separator: "\n") }
}

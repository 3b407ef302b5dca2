import ContentDigest
import Foundation
import Testing
import UpgradeDomain

@testable import Ledger

@Suite("Verifying a ledger")
struct VerifyTests {
    let fixture: Fixture

    init() async throws {
        fixture = try Fixture()
        let ledger = try await fixture.openWithRun()
        let lease = try await ledger.lease()
        let answer = Array("raw answer".utf8)
        try await ledger.record(
            Fixture.everyDriverEvent(epoch: lease.epoch, evidence: Digest.sha256(of: answer)), with: [answer],
            lease: lease.epoch)
    }

    @Test("an unmodified ledger is sound and reports its head for a witness")
    func sound() async throws {
        let ledger = try await fixture.open()
        let verification = try await ledger.verify()
        #expect(verification.isSound)
        let summary = try await ledger.run(matching: "r-one")
        #expect(verification.chains.map(\.provenSequence) == [summary.headSequence])
        #expect(verification.chains.map(\.provenHash) == [summary.headHash])
        #expect(try await ledger.verify(run: "r-one").isSound)
        #expect(await #expect(throws: LedgerError.self) { try await ledger.verify(run: "r-none") }?.code == .unknownRun)
    }

    struct Tampering: Sendable, CustomTestStringConvertible {
        var what: String
        var sql: String
        var code: LedgerFault.Code
        var sequence: UInt64?
        var testDescription: String { what }
    }

    static let tamperings = [
        Tampering(
            what: "an edited payload",
            sql:
                "UPDATE events SET payload = CAST(replace(CAST(payload AS TEXT), '3', '0') AS BLOB) WHERE sequence = 9",
            code: .eventChanged, sequence: 9),
        Tampering(
            what: "an edited time", sql: "UPDATE events SET recorded_at_milliseconds = 1 WHERE sequence = 5",
            code: .eventChanged, sequence: 5),
        Tampering(
            what: "an edited kind", sql: "UPDATE events SET kind = 'captured' WHERE sequence = 5",
            code: .eventChanged, sequence: 5),
        Tampering(
            what: "a deleted event", sql: "DELETE FROM events WHERE sequence = 6", code: .eventMissing, sequence: 6),
        Tampering(
            what: "a deleted first event", sql: "DELETE FROM events WHERE sequence = 1", code: .eventMissing,
            sequence: 1),
        Tampering(
            what: "a deleted event, the others moved up",
            sql: """
                DELETE FROM events WHERE sequence = 6;
                UPDATE events SET sequence = sequence - 1 WHERE sequence > 6;
                """,
            code: .eventUnlinked, sequence: 6),
        Tampering(
            what: "two events in the other order",
            sql: """
                UPDATE events SET sequence = 99 WHERE sequence = 6;
                UPDATE events SET sequence = 6 WHERE sequence = 7;
                UPDATE events SET sequence = 7 WHERE sequence = 99;
                """,
            code: .eventUnlinked, sequence: 6),
        Tampering(
            what: "a cut-off tail", sql: "DELETE FROM events WHERE sequence > 12", code: .headDiffers, sequence: 13),
        Tampering(
            what: "no events at all", sql: "DELETE FROM events", code: .headDiffers, sequence: 1),
        Tampering(
            what: "a changed standing", sql: "UPDATE runs SET standing = 'finalized'", code: .projectionDiffers,
            sequence: nil),
        Tampering(
            what: "a freed host", sql: "DELETE FROM host_claims WHERE host = 'core-2'", code: .projectionDiffers,
            sequence: nil),
        Tampering(
            what: "a claimed host", sql: "INSERT INTO host_claims (host, run) VALUES ('core-9', 'r-one')",
            code: .projectionDiffers, sequence: nil),
        Tampering(
            what: "a changed definition digest", sql: "UPDATE runs SET definition_digest = 'sha256:00'",
            code: .projectionDiffers, sequence: 1),
        Tampering(
            what: "a forgotten lease", sql: "DELETE FROM leases", code: .projectionDiffers, sequence: nil),
        Tampering(
            what: "edited evidence", sql: "UPDATE blobs SET bytes = x'00'", code: .evidenceChanged, sequence: 4),
        Tampering(what: "deleted evidence", sql: "DELETE FROM blobs", code: .evidenceMissing, sequence: 4),
    ]

    @Test("tampering is found and the first broken event is named", arguments: tamperings)
    func tampering(_ tampering: Tampering) async throws {
        try tamper(fixture.path, tampering.sql)
        let verification = try await fixture.open().verify()
        #expect(!verification.isSound)
        let faults = try #require(verification.chains.first).faults
        #expect(faults.map(\.code) == [tampering.code])
        #expect(faults.map(\.sequence) == [tampering.sequence])
    }

    @Test("a definition is verified by its stored bytes, whatever this build would write")
    func storedBytes() throws {
        let (plan, hosts) = (#"{"keyOfALaterBuild":1,"name":"p"}"#, "[ 1 ]")
        let definition = #"{"hosts":\#(hosts),"plan":\#(plan)}"#
        let digests = DefinitionDigests(payload: Array(#"{"runStarted":{"_0":\#(definition)}}"#.utf8))
        #expect(digests?.plan == Digest.sha256(of: Array(plan.utf8)))
        #expect(digests?.hosts == Digest.sha256(of: Array(hosts.utf8)))
        #expect(digests?.definition == Digest.sha256(of: Array(definition.utf8)))
        for none in [#"{"runStarted":{"_0":{"plan":{}}}}"#, #"{"runStarted":1}"#, "[]", "{"] {
            #expect(DefinitionDigests(payload: Array(none.utf8)) == nil, "\(none)")
        }
    }

    @Test("an edited plan is found")
    func editedPlan() async throws {
        try tamper(fixture.path, "UPDATE plans SET document = x'7b7d'")
        #expect(try await fixture.open().verify().faults.map(\.code) == [.documentChanged])
    }

    @Test("a dropped trigger is found and the chain is still checked; a changed table stops the check")
    func changedSchema() async throws {
        _ = try runProgram(["sqlite3", fixture.path, "DROP TRIGGER events_keep_delete"])
        let verification = try await fixture.open().verify()
        #expect(verification.faults.map(\.code) == [.schemaChanged])
        #expect(verification.chains.map(\.faults) == [[]])
        _ = try runProgram(["sqlite3", fixture.path, "ALTER TABLE events ADD COLUMN note TEXT"])
        #expect(try await fixture.open().verify().chains.isEmpty)
        #expect(try await !fixture.open().verify().isSound)
    }

    @Test("an event that can not be read is named instead of being skipped")
    func unreadable() async throws {
        try tamper(fixture.path, "UPDATE events SET payload = CAST('{}' AS BLOB) WHERE sequence = 3")
        let error = await #expect(throws: LedgerError.self) { try await fixture.open().events(of: "r-one") }
        #expect(error?.code == .damaged)
        #expect(error?.message.contains("Event 3") == true)
    }

    @Test("the script in docs/ledger.md verifies the chain without this code, and finds an edit")
    func documentedScript() async throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/ledger.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let block = try #require(text.components(separatedBy: "```python\n").dropFirst().first)
        let script = try #require(block.components(separatedBy: "```").first)
        let head = try await fixture.open().run(matching: "r-one")
        let sound = try runProgram(["python3", "-c", script, fixture.path])
        #expect(sound.output == "r-one \(head.headSequence) \(head.headHash)\n")
        #expect(sound.status == 0)
        try tamper(fixture.path, "UPDATE events SET recorded_at_milliseconds = 1 WHERE sequence = 5")
        let broken = try runProgram(["python3", "-c", script, fixture.path])
        #expect(broken.status == 1)
        #expect(broken.output.contains("r-one event 5"))
    }
}

import ContentDigest
import Foundation
import Ledger
import Testing
import UpgradeDomain

/// What people sign, as the ledger keeps it.
struct StatementTests {
    private let fixture: Fixture
    private static let id = StatementID(String(repeating: "0a", count: 16))

    init() throws { fixture = try Fixture() }

    private func signed(_ text: String, by signatures: String...) -> SignedStatement {
        SignedStatement(text: text, signatures: signatures)
    }

    // MARK: The policy

    @Test func versionsOfThePolicyFollowEachOther() async throws {
        let ledger = try await fixture.open()
        #expect(try await ledger.policies().isEmpty)
        let first = signed(#"{"version":1}"#, by: "a", "b")
        try await ledger.addPolicy(first, version: 1, by: "ana", at: Fixture.now)
        try await ledger.addPolicy(signed(#"{"version":2}"#, by: "c"), version: 2, by: "bo", at: Fixture.now)
        let stored = try await fixture.open().policies()
        #expect(stored.map(\.version) == [1, 2] && stored.map(\.addedBy) == ["ana", "bo"])
        #expect(stored[0].signed == first && stored[0].addedAt == Fixture.now)
        #expect(stored[0].fingerprint == Digest.sha256(of: Array(first.text.utf8)))
    }

    @Test(arguments: [(0, 2), (2, 1), (2, 2), (2, 4), (1, 0)])
    func anotherVersionThanTheNextIsRefused(_ current: Int, _ added: Int) async throws {
        let ledger = try await fixture.open()
        for version in 0..<current {
            try await ledger.addPolicy(signed("\(version)"), version: version + 1, by: "ana", at: Fixture.now)
        }
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.addPolicy(signed("x"), version: added, by: "ana", at: Fixture.now)
        }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains(current == 0 ? "has no policy yet" : "has version \(current)") == true)
        #expect(try await ledger.policies().count == current)
    }

    /// A policy that was added while the approvals of a run were judged rules it as well.
    @Test func aRunStartsOnlyUnderThePolicyThatItWasJudgedBy() async throws {
        let ledger = try await fixture.open()
        _ = try await ledger.addPlan(Fixture.plan(), at: Fixture.now)
        var definition = try Fixture.definition("r-one", in: ledger, hosts: ["core-1"])
        try await ledger.addPolicy(signed("{}", by: "a"), version: 1, by: "ana", at: Fixture.now)
        let judged = definition
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.startRun(judged, by: "ana", at: Fixture.now)
        }
        #expect(error?.code == .conflict)
        #expect(try await ledger.runs().isEmpty)
        definition.authority = RunAuthority(
            trusted: Digest.sha256(of: Array("{}".utf8)), policies: [signed("{}", by: "a")], statements: [],
            author: nil,
            starter: "ana")
        let current = definition
        _ = try await ledger.startRun(current, by: "ana", at: Fixture.now)
        #expect(try await ledger.runs().map(\.id) == ["r-one"])
    }

    /// Two people add their own version 2 at the same time: one of them wins, and the other one learns of it.
    @Test func twoProcessesCanNotAddTheSameVersion() async throws {
        let ledgers = [try await fixture.open(), try await fixture.open()]
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for (index, ledger) in ledgers.enumerated() {
                group.addTask {
                    await
                        (try? ledger.addPolicy(
                            SignedStatement(text: "\(index)"), version: 1, by: "ana", at: Fixture.now)) != nil
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(outcomes.sorted { $0 && !$1 } == [true, false])
        #expect(try await ledgers[0].policies().count == 1)
    }

    @Test func aBackupAndItsRestoreKeepThePolicyAndItsFingerprint() async throws {
        let ledger = try await fixture.open()
        try await ledger.addPolicy(signed("1", by: "a"), version: 1, by: "ana", at: Fixture.now)
        try await ledger.addStatement(
            signed("s", by: "a"), id: StatementTests.id, plan: nil, by: "ana", at: Fixture.now)
        try await ledger.backup(to: fixture.folder + "/backup")
        let restored = try await Ledger.restore(
            fixture.folder + "/backup", to: fixture.folder + "/restored", at: Fixture.now)
        #expect(try await restored.policies() == ledger.policies())
        #expect(try await restored.statements() == ledger.statements())
        #expect(try await restored.verify().isSound)
    }

    @Test func aLedgerWithAPolicyDoesNotTakeThePlaceOfAnother() async throws {
        let ledger = try await fixture.open()
        try await ledger.addPolicy(signed("1"), version: 1, by: "ana", at: Fixture.now)
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.takePlace(of: "l-other", above: Epoch(7), remembering: [], by: "ana", at: Fixture.now)
        }
        #expect(error?.code == .contradiction && error?.message.contains("has a policy") == true)
        #expect(try await fixture.open().id == ledger.id)
    }

    // MARK: Statements

    @Test func aStatementCollectsItsSignatures() async throws {
        let ledger = try await fixture.open()
        let plan = try await ledger.addPlan(Fixture.plan(), by: "ana", at: Fixture.now)
        #expect(try await ledger.plans().map(\.addedBy) == ["ana"])
        var statement = signed("{}", by: "a")
        statement.leaves = ["core-1": "sha256:11", "core-2": "sha256:22"]
        statement.claim = StatementClaim(owner: "ana", claimedBy: "root")
        let id = StatementTests.id
        try await ledger.addStatement(statement, id: id, plan: plan, by: "ana", at: Fixture.now)
        #expect(try await ledger.addSignature("b", to: id, by: "bo", at: Fixture.now))
        #expect(try await !ledger.addSignature("a", to: id, by: "bo", at: Fixture.now))
        // What somebody made elsewhere and brings again adds what is new.
        try await ledger.addStatement(signed("{}", by: "b", "c"), id: id, plan: plan, by: "bo", at: Fixture.now)
        statement.signatures = ["a", "b", "c"]
        let stored = try await ledger.statement(matching: "0a0a")
        #expect(stored.signed == statement && stored.id == id && stored.plan == plan)
        #expect(stored.madeBy == "ana" && stored.madeAt == Fixture.now)
        #expect(try await ledger.statements(ofPlan: plan) == [stored])
        #expect(try await ledger.statements(ofPlan: "sha256:00").isEmpty)
        #expect(try await ledger.verify().isSound)
    }

    @Test func whatContradictsTheLedgerIsRefused() async throws {
        let ledger = try await fixture.open()
        let id = StatementTests.id
        try await ledger.addStatement(signed("{}"), id: id, plan: nil, by: "ana", at: Fixture.now)
        let other = await #expect(throws: LedgerError.self) {
            try await ledger.addStatement(signed("[]"), id: id, plan: nil, by: "ana", at: Fixture.now)
        }
        #expect(other?.code == .contradiction)
        let plan = await #expect(throws: LedgerError.self) {
            try await ledger.addStatement(signed("1"), id: "01", plan: "sha256:00", by: "ana", at: Fixture.now)
        }
        #expect(plan?.code == .unknownPlan)
        let unknown = await #expect(throws: LedgerError.self) {
            try await ledger.addSignature("a", to: "0b0b", by: "ana", at: Fixture.now)
        }
        #expect(unknown?.code == .unknownStatement)
        #expect(try await ledger.statements().map(\.signed) == [signed("{}")])
    }

    @Test func aStatementIsFoundByItsFirstDigits() async throws {
        let ledger = try await fixture.open()
        for id in ["aaaa1", "aaaa2", "bbbb1"] {
            try await ledger.addStatement(signed(id), id: StatementID(id), plan: nil, by: "ana", at: Fixture.now)
        }
        #expect(try await ledger.statement(matching: "bbbb").signed.text == "bbbb1")
        for (text, code) in [
            ("aaaa", LedgerError.Code.ambiguous), ("aaa", .unknownStatement), ("cccc", .unknownStatement),
            ("%%%%", .unknownStatement),
        ] {
            let error = await #expect(throws: LedgerError.self) { try await ledger.statement(matching: text) }
            #expect(error?.code == code, "\(text)")
        }
    }

    @Test func limits() async throws {
        let ledger = try await fixture.open()
        let id = StatementTests.id
        let long = String(repeating: "x", count: LedgerLimits.signedBytes + 1)
        let armour = String(repeating: "x", count: LedgerLimits.signatureBytes + 1)
        let many = (0...LedgerLimits.signaturesPerText).map { "\($0)" }
        for statement in [signed(long), signed("", by: armour), SignedStatement(text: "", signatures: many)] {
            let error = await #expect(throws: LedgerError.self) {
                try await ledger.addStatement(statement, id: id, plan: nil, by: "ana", at: Fixture.now)
            }
            #expect(error?.code == .tooLarge)
            await #expect(throws: LedgerError.self) {
                try await ledger.addPolicy(statement, version: 1, by: "ana", at: Fixture.now)
            }
        }
        let full = SignedStatement(text: "", signatures: Array(many.dropLast()))
        try await ledger.addStatement(full, id: id, plan: nil, by: "ana", at: Fixture.now)
        let error = await #expect(throws: LedgerError.self) {
            try await ledger.addSignature("one more", to: id, by: "ana", at: Fixture.now)
        }
        #expect(error?.code == .tooLarge)
        #expect(try await ledger.statement(matching: id.rawValue).signed == full)
    }

    // MARK: Verifying

    @Test(arguments: [
        ("UPDATE policies SET text = '3' WHERE version = 2", "version 2 of the policy does not match its digest"),
        ("DELETE FROM policies WHERE version = 1", "version 1 of the policy is missing; the next one is 2"),
        ("UPDATE statements SET text = 'x'", "the statement 0a0a0a0a does not match its digest"),
    ])
    func anEditIsFound(_ sql: String, _ message: String) async throws {
        do {
            let ledger = try await fixture.open()
            try await ledger.addPolicy(signed("1"), version: 1, by: "ana", at: Fixture.now)
            try await ledger.addPolicy(signed("2"), version: 2, by: "ana", at: Fixture.now)
            try await ledger.addStatement(signed("s"), id: StatementTests.id, plan: nil, by: "ana", at: Fixture.now)
            #expect(try await ledger.verify().isSound)
        }
        try tamper(fixture.path, sql)
        let verification = try await fixture.open().verify()
        #expect(verification.faults.map(\.code) == [.documentChanged])
        #expect(verification.faults.map(\.message) == [message])
    }

    /// A ledger that an earlier build wrote gets the new tables, and its plans have no author.
    @Test func anOlderLedgerIsUpgraded() async throws {
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../Golden/0.1.0/ledger.sqlite").standardizedFileURL
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: fixture.folder)
        try Data(contentsOf: golden).write(to: URL(fileURLWithPath: fixture.path))
        let ledger = try await Ledger.openExisting(at: fixture.path)
        #expect(try await ledger.policies().isEmpty)
        let plans = try await ledger.plans()
        #expect(!plans.isEmpty && plans.allSatisfy { $0.addedBy == nil })
        try await ledger.addPolicy(signed("1"), version: 1, by: "ana", at: Fixture.now)
        try await ledger.addStatement(
            signed("s"), id: StatementTests.id, plan: plans[0].digest, by: "ana", at: Fixture.now)
        #expect(try await ledger.verify().isSound)
    }
}

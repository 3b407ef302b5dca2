import Approvals
import ContentDigest
import Foundation
import SigningKeys
import Testing
import UpgradeDomain

/// Each way in which a statement can be wrong, and the words that refuse it.
struct AuthorityTests {
    private typealias Fixture = AuthorityFixture

    /// Why a statement is not taken; nil if it is.
    private static func refusal(
        _ signed: SignedStatement, by fixture: AuthorityFixture = AuthorityFixture(),
        after earlier: [SignedStatement] = []
    ) throws -> String? {
        var authority = try fixture.authority()
        for statement in earlier { try authority.take(statement) }
        do {
            try authority.take(signed)
            return nil
        } catch let problem as StatementProblem {
            return problem.words
        } catch let problem as PolicyProblem {
            return problem.words
        }
    }

    @Test func twoOwnersOverOneTextPermit() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        #expect(fixture.lack(authority) == "layer app needs approvals by 2 of ana, ben, cy")
        try authority.take(try fixture.signed(fixture.statement(), by: ["ana"]))
        #expect(fixture.lack(authority) == "layer app needs approvals by 2 of ana, ben, cy; given by ana")
        try authority.take(try fixture.signed(fixture.statement(), by: ["ben"]))
        #expect(fixture.lack(authority) == nil)
        #expect(authority.given.count == 1, "both signed the same text")
    }

    @Test func twoOwnersOverTextsOfTheirOwnPermit() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement(id: "a"), by: ["ana"]))
        try authority.take(try fixture.signed(fixture.statement(id: "b"), by: ["cy"]))
        #expect(
            authority.permission(for: Fixture.ask(), at: Fixture.now) { fixture.leaves["a1"] }
                == .given(by: ["ana", "cy"]))
    }

    @Test func aThresholdCountsPeopleNotKeys() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement(), by: ["ana", "ana-laptop"]))
        try authority.take(try fixture.signed(fixture.statement(id: "b"), by: ["ana"]))
        #expect(fixture.lack(authority) == "layer app needs approvals by 2 of ana, ben, cy; given by ana")
    }

    @Test func contentThatWasChangedIsRefused() throws {
        let fixture = Fixture()
        var signed = try fixture.signed(fixture.statement(), by: ["ana"])
        signed.text = signed.text.replacing("\"runs\":1", with: "\"runs\":9")
        #expect(try AuthorityTests.refusal(signed)?.contains("it is over another text, or damaged") == true)
    }

    @Test(arguments: [
        ("mallory", "the policy does not name this key"), ("dan", "dan may not give it"),
        ("ana-glass", "this key of ana is for break-glass only"),
    ])
    func aKeyThatMayNotGiveItIsRefused(_ key: String, _ words: String) throws {
        let fixture = Fixture()
        let signed = try fixture.signed(fixture.statement(), by: [key])
        #expect(try AuthorityTests.refusal(signed)?.contains(words) == true)
    }

    @Test(arguments: Purpose.allCases.filter { $0 != .approve })
    func aSignatureForAnotherPurposeIsRefused(_ purpose: Purpose) throws {
        let fixture = Fixture()
        let signed = try fixture.signed(fixture.statement(), by: ["ana"], as: purpose)
        #expect(
            try AuthorityTests.refusal(signed)?
                .contains("it was made for '\(purpose.namespace)', and 'approve.v1@lockflight' is needed here") == true)
    }

    @Test func bytesBehindTheArmourAreRefused() throws {
        let fixture = Fixture()
        var signed = try fixture.signed(fixture.statement(), by: ["ana"])
        signed.signatures[0] += "and more\n"
        let refusal = try #require(try AuthorityTests.refusal(signed))
        #expect(refusal.contains("armour"), "\(refusal)")
    }

    @Test(arguments: [
        ("{", "{\"action\":\"upgrade\",", "the same name twice"), (",\"runs\":1", ",\"runs\":1,\"runz\":1", "'runz'"),
        (",\"runs\":1", ", \"runs\":1", "canonical form"), ("app-2", "äpp", "printable ASCII"),
        (",\"runs\":1", ",\"runs\":9007199254740992", "runs"),
    ])
    func aTextThatIsNotCanonicalIsRefused(_ old: String, _ new: String, _ words: String) throws {
        let fixture = Fixture()
        let text = try fixture.statement().signedText()
        let range = try #require(text.range(of: old))
        let changed = text.replacingCharacters(in: range, with: new)
        let signed = SignedStatement(
            text: changed, signatures: try Fixture.sign(changed, as: .approve, by: ["ana"]), leaves: fixture.leaves)
        let refusal = try #require(try AuthorityTests.refusal(signed))
        #expect(refusal.hasPrefix("it can not be read"), "\(refusal)")
        #expect(refusal.contains(words), "\(refusal)")
    }

    private static let bindings: [(String, @Sendable (inout Statement) -> Void, String)] = [
        ("ledger", { $0.ledger = "l-2" }, "it is for the ledger l-2"),
        ("plan", { $0.plan = Digest.sha256(of: [9]) }, "it is for the plan \(Digest.sha256(of: [9]).short)"),
        ("releases", { $0.releases = [Digest.sha256(of: [9])] }, "it names other release manifests than the plan"),
        ("root", { $0.hostsRoot = Digest.sha256(of: [9]) }, "its hosts do not have the root that is signed"),
        ("hosts", { $0.hosts = 3 }, "its hosts do not have the root that is signed"),
        ("policy", { $0.policy = 2 }, "it was written under policy version 2, and the run knows 1"),
        ("id", { $0.id = "short" }, "its id is not 32 hexadecimal digits"),
        ("order", { $0.notBefore = $0.notAfter }, "it ends before it begins"),
        ("run", { $0.run = "r-1" }, "it names a run or hosts, which only a recovery does"),
        ("action", { $0.action = .rollback }, "its purpose is not that of a rollback"),
    ]

    @Test(arguments: AuthorityTests.bindings.indices)
    func whatItIsBoundToDecides(_ index: Int) throws {
        let (_, change, words) = AuthorityTests.bindings[index]
        let fixture = Fixture()
        // A text that its own writer would not make is written without the check.
        let text = try SignedText.write(fixture.statement { change(&$0) })
        let signed = SignedStatement(
            text: text, signatures: try Fixture.sign(text, as: .approve, by: ["ana", "ben"]), leaves: fixture.leaves)
        #expect(try AuthorityTests.refusal(signed) == words)
    }

    @Test func theLeavesMustHaveTheSignedRoot() throws {
        let fixture = Fixture()
        var leaves = fixture.leaves
        leaves["a1"] = Digest.sha256(of: [7])
        let signed = try fixture.signed(fixture.statement(), over: leaves)
        #expect(try AuthorityTests.refusal(signed) == "its hosts do not have the root that is signed")
    }

    @Test func theLeafOfAnotherHostOrOfAnotherTimePermitsNothing() throws {
        var fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement()))
        let swapped = authority.permission(for: Fixture.ask(), at: Fixture.now) { fixture.leaves["a2"] }
        #expect(!swapped.isGiven)
        fixture.leaves["a2"] = Digest.sha256(of: [8])
        #expect(fixture.lack(authority) == nil, "a host that did not change keeps its approval")
        #expect(
            fixture.lack(authority, Fixture.ask(.upgrade, "a2"))?
                .contains("what it covers for a2 is not what would run there") == true)
    }

    @Test func aHostThatIsAddedLaterNeedsAStatementForItsLeafOnly() throws {
        var fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement()))
        fixture.leaves["a3"] = Digest.sha256(of: [5])
        #expect(fixture.lack(authority) == nil)
        #expect(fixture.lack(authority, Fixture.ask(.upgrade, "a3")) != nil)
        let own: [HostName: Digest] = ["a3": Digest.sha256(of: [5])]
        try authority.take(try fixture.signed(fixture.statement(id: "b", over: own), over: own))
        #expect(fixture.lack(authority, Fixture.ask(.upgrade, "a3")) == nil)
    }

    @Test func itCountsBetweenItsTimesOnly() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(
            try fixture.signed(fixture.statement { $0.notBefore = SignedTime(Fixture.now.advanced(bySeconds: 60)) }))
        #expect(fixture.lack(authority)?.contains("it counts from 2027-01-15T08:01:00Z on") == true)
        #expect(fixture.lack(authority, at: Fixture.now.advanced(bySeconds: 60)) == nil)
        #expect(
            fixture.lack(authority, at: Fixture.now.advanced(bySeconds: 3_600))?
                .contains("it ended at 2027-01-15T09:00:00Z") == true)
    }

    @Test func aRevokedStatementPermitsNothing() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement()))
        let revocation = fixture.statement(.revoke, .revoke, id: "c") {
            $0.revokes = StatementID(String(repeating: "a", count: 32))
        }
        try authority.take(try fixture.signed(revocation, by: ["cy"]))
        #expect(fixture.lack(authority)?.contains("aaaaaaaa: it was revoked by cccccccc") == true)
    }

    /// What was taken back stays taken back: its signer may have another key since, or have left.
    @Test func aRevocationOutlivesTheKeyThatSignedIt() throws {
        let fixture = Fixture()
        func revocation(_ digit: Character, by person: String) throws -> SignedStatement {
            let statement = fixture.statement(.revoke, .revoke, id: digit) {
                $0.revokes = StatementID(String(repeating: "a", count: 32))
            }
            return try fixture.signed(statement, by: [person])
        }
        let revoked = try revocation("c", by: "cy")
        let lost = try SigningKey("cy").fingerprint
        let left = try fixture.successor(by: ["ana", "ben"]) {
            $0.people["cy"]?.keys = [SigningKey("cy-new").line]
            $0.revokedKeys = [lost]
        }
        // Before the new version, and judged again after it from the beginning.
        for order in [[revoked, left], [left, revoked]] {
            var authority = try fixture.authority()
            try authority.take(try fixture.signed(fixture.statement()))
            for signed in order { try authority.take(signed) }
            #expect(fixture.lack(authority)?.contains("aaaaaaaa: it was revoked by cccccccc") == true)
        }
        // Whoever never had a say takes nothing back.
        let stranger = try AuthorityTests.refusal(try revocation("d", by: "nobody"), after: [left])
        #expect(stranger?.contains("the policy does not name this key") == true)
    }

    /// People read the name, and sign the digest with it.
    @Test func aStatementUnderAnotherPlansNameIsRefused() throws {
        let fixture = Fixture()
        let signed = try fixture.signed(fixture.statement { $0.planName = "app-3" })
        #expect(try AuthorityTests.refusal(signed) == "it calls the plan app-3, which has another name")
    }

    @Test func aRevokedKeyCountsNoMore() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        let revoked = try SigningKey("ben").fingerprint
        try authority.take(try fixture.signed(fixture.statement()))
        try authority.take(
            try fixture.successor(by: ["ana", "cy"]) {
                $0.people["ben"]?.keys = [SigningKey("ben-new").line]
                $0.revokedKeys = [revoked]
            })
        #expect(fixture.lack(authority)?.contains("the key is revoked") == true)
    }

    @Test func aSecondStatementOfOneIDIsRefused() throws {
        let fixture = Fixture()
        let first = try fixture.signed(fixture.statement(), by: ["ana"])
        let other = try fixture.signed(fixture.statement { $0.runs = 2 }, by: ["ben"])
        #expect(try AuthorityTests.refusal(other, after: [first]) == "another statement has the id aaaaaaaa")
        #expect(
            try AuthorityTests.refusal(first, after: [first]) == "aaaaaaaa is recorded already, with these signatures")
    }

    @Test func aRecoveryOfAnotherRunIsRefused() throws {
        let fixture = Fixture()
        let signed = try fixture.signed(fixture.statement(.recover, .rerun) { $0.run = "r-2" })
        #expect(try AuthorityTests.refusal(signed) == "it is for the run r-2")
    }

    @Test func aRecoveryAtAnotherBoundaryPermitsNothing() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement(.recover, .rerun)))
        #expect(fixture.lack(authority, Fixture.ask(.rerun)) == nil)
        let elsewhere = Fixture.ask(.rerun) { $0.boundary = "layer app, batch 2" }
        #expect(
            fixture.lack(authority, elsewhere)?.contains("it is for layer app, batch 1, where the run does not stand")
                == true)
        #expect(fixture.lack(authority, Fixture.ask(.rerun, "a2"))?.contains("it does not cover a2") == true)
        #expect(fixture.lack(authority, Fixture.ask(.rollback)) != nil, "a rerun is no rollback")
    }

    @Test func rerunAndSignOffTakeTheOnCallGroupAndNothingElseDoes() throws {
        let fixture = Fixture()
        for action in [StatementAction.rerun, .signOff] {
            var authority = try fixture.authority()
            try authority.take(try fixture.signed(fixture.statement(.recover, action), by: ["dan"]))
            #expect(fixture.lack(authority, Fixture.ask(action)) == nil)
        }
        for action in [StatementAction.rollback, .retire, .finalize] {
            let signed = try fixture.signed(fixture.statement(.recover, action), by: ["dan"])
            #expect(try AuthorityTests.refusal(signed)?.contains("dan may not give it") == true)
        }
    }

    @Test func theForwardStatementCoversRollbackWithinItsOwnEndAndAttempts() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        let statement = fixture.statement {
            $0.rollback = .init(until: SignedTime(Fixture.now.advanced(bySeconds: 7_200)), attempts: 1)
        }
        try authority.take(try fixture.signed(statement))
        let later = Fixture.now.advanced(bySeconds: 3_700)
        #expect(fixture.lack(authority, at: later) != nil)
        #expect(fixture.lack(authority, Fixture.ask(.rollback), at: later) == nil)
        let second = Fixture.ask(.rollback) { $0.attempts = [Fixture.now] }
        #expect(fixture.lack(authority, second, at: later)?.contains("is used up") == true)
        #expect(fixture.lack(authority, Fixture.ask(.rollback), at: Fixture.now.advanced(bySeconds: 7_200)) != nil)
    }

    @Test func itPermitsAsManyAttemptsAsItSays() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement()))
        #expect(fixture.lack(authority, Fixture.ask { $0.attempts = [Fixture.now] }) == nil)
        #expect(
            fixture.lack(authority, Fixture.ask { $0.attempts = [Fixture.now, Fixture.now] })?.contains("2 attempts")
                == true)
    }

    @Test func aHoldPointMustBeNamed() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement()))
        let atPoint = Fixture.ask { $0.holdPoint = .layer("app") }
        #expect(fixture.lack(authority, atPoint)?.contains("it does not name the hold point app") == true)
        try authority.take(try fixture.signed(fixture.statement(id: "b") { $0.holdPoints = [.layer("app")] }))
        #expect(fixture.lack(authority, atPoint) == nil)
    }

    @Test func aOneWayLayerTakesMorePeople() throws {
        let fixture = Fixture()
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement()))
        let oneWay = Fixture.ask { $0.isOneWay = true }
        #expect(fixture.lack(authority, oneWay) == "layer app needs approvals by 3 of ana, ben, cy; given by ana, ben")
        try authority.take(try fixture.signed(fixture.statement(), by: ["cy"]))
        #expect(fixture.lack(authority, oneWay) == nil)
    }

    @Test func anAuthorAndAStarterDoNotCountWhereThePolicySaysSo() throws {
        var fixture = Fixture()
        fixture.policy.rules.notAuthor = true
        fixture.policy.rules.notStarter = true
        fixture.scope.author = "ana-account"
        fixture.scope.starter = "ben-account"
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement(), by: ["ana", "ben"]))
        #expect(
            fixture.lack(authority)
                == "layer app needs approvals by 2 of ana, ben, cy (ana added the plan, and does not count; ben started the run, and does not count)"
        )
        fixture.scope.author = "root"
        authority = try fixture.authority()
        try authority.take(try fixture.signed(fixture.statement(), by: ["ana", "cy"]))
        #expect(
            fixture.lack(authority)?.contains("the account root, which no person of the policy has, added the plan")
                == true)
    }

    @Test func breakGlassTakesKeysOfItsOwnAndAnHourAtMost() throws {
        let fixture = Fixture()
        let statement = fixture.statement(.breakGlass, .breakGlass)
        #expect(
            try AuthorityTests.refusal(try fixture.signed(statement, by: ["ana"]))?
                .contains("which has keys of its own") == true)
        let long = fixture.statement(.breakGlass, .breakGlass) {
            $0.notAfter = SignedTime(Fixture.now.advanced(bySeconds: 3_601))
        }
        #expect(
            try AuthorityTests.refusal(try fixture.signed(long, by: ["ana-glass"]))
                == "it is valid for 3601 s, and break-glass for 3600 s at most")
        var authority = try fixture.authority()
        try authority.take(try fixture.signed(statement, by: ["ana-glass"]))
        #expect(fixture.lack(authority, Fixture.ask(.breakGlass)) == nil)
        #expect(fixture.lack(authority, Fixture.ask(.breakGlass, "a2")) != nil)
        #expect(fixture.lack(authority, Fixture.ask(.rollback)) != nil)
    }

    @Test func claimsAndSignaturesDoNotMix() throws {
        let fixture = Fixture()
        var signed = try fixture.signed(fixture.statement())
        signed.signatures = []
        #expect(try AuthorityTests.refusal(signed) == "it is not signed, and a policy asks for signatures")
        signed.claim = StatementClaim(owner: "ana", claimedBy: "root")
        #expect(try AuthorityTests.refusal(signed) == "it is not signed, and a policy asks for signatures")
        var claims = Authority(fixture.scope, .claims)
        #expect(throws: StatementProblem.signedWhereClaimed) {
            try claims.take(try fixture.signed(fixture.statement { $0.policy = 0 }))
        }
    }
}

import Approvals
import Testing
import UpgradeDomain

/// The rules of a policy document, and how strictly its text is read.
struct PolicyTests {
    private let fixture: PolicyFixture

    init() throws { fixture = try PolicyFixture() }

    private func flaws(_ change: (inout Policy) throws -> Void) throws -> [String] {
        var policy = try fixture.policy()
        try change(&policy)
        return policy.problems.map(\.message)
    }

    /// To Swift, a text with the sign for kelvin equals the one with a K that was read before.
    @Test func aTextOfOtherBytesIsNotOneThatWasRead() throws {
        let text = try fixture.policy().text()
        _ = try Policy.read(text)
        let other = text.replacing("revokedKeys", with: "revoked\u{212A}eys")
        #expect(other == text && !other.utf8.elementsEqual(text.utf8))
        #expect(throws: PolicyProblem.self) { try Policy.read(other) }
    }

    @Test func aValidPolicyReadsBackAsItsText() throws {
        let policy = try fixture.policy()
        #expect(policy.problems.isEmpty)
        let text = try policy.text()
        #expect(try Policy.read(text) == policy)
        #expect(text.hasPrefix(#"{"builders":{"people":["cleo"],"threshold":1},"format":1,"issuedAt":"2026-11-18T"#))
        #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
    }

    // MARK: Rules

    @Test func aKeyBelongsToOnePersonAndOneUse() throws {
        let shared = try fixture.keys.fingerprint("ana")
        #expect(
            try flaws { $0.people["bo"]?.keys = [try fixture.keys.line("ana")] }
                == ["the key \(shared) is in the keys of ana and in the keys of bo"])
        #expect(
            try flaws { $0.people["ana"]?.breakGlassKeys = [try fixture.keys.line("ana")] }
                == ["the key \(shared) is in the keys of ana and in the breakGlassKeys of ana"])
        #expect(
            try flaws { $0.people["bo"]?.breakGlassKeys = [try fixture.keys.line("anaBreakGlass")] }.count == 1)
    }

    @Test func keysMustBeReadableAndOfAKindThatCounts() throws {
        let rsa = try fixture.keys.line("cleo-rsa")
        #expect(
            try flaws { $0.people["cleo"]?.keys = [rsa] }
                == ["keys[1] of cleo is an RSA key, and RSA keys do not count"])
        #expect(
            try flaws {
                $0.people["cleo"]?.keys = [rsa]
                $0.rules.minimumRSABits = 3_072
            }.isEmpty)
        #expect(
            try flaws {
                $0.people["cleo"]?.keys = [rsa]
                $0.rules.minimumRSABits = 4_096
            } == ["keys[1] of cleo is an RSA key of 3072 bits, and rules.minimumRSABits is 4096"])
        #expect(try flaws { $0.people["cleo"]?.keys = ["ssh-ed25519 AAAA"] }[0].hasPrefix("keys[1] of cleo is no key"))
        #expect(
            try flaws { $0.people["bo"]?.keys = [try fixture.keys.line("bo") + " bo@laptop"] }
                == ["keys[1] of bo has more than its type and its base64"])
        #expect(try flaws { $0.people["bo"]?.keys = [] } == ["bo has no keys"])
        #expect(try flaws { $0.rules.minimumRSABits = 2_048 } == ["rules.minimumRSABits is 2048"])
        let revoked = try fixture.keys.fingerprint("bo")
        #expect(
            try flaws { $0.revokedKeys = [revoked] } == ["the key \(revoked) of bo is also under revokedKeys"])
    }

    @Test func everyPersonOfAGroupExists() throws {
        #expect(
            try flaws { $0.signers.people = ["ana", "dora"] } == [
                "signers.people names dora, who is not under 'people'"
            ])
        #expect(
            try flaws { $0.layers["core"]?.owners = ["ana", "dora"] }
                == ["layers.core.owners names dora, who is not under 'people'"])
        #expect(try flaws { $0.onCall?.people = ["x"] }.count == 1)
        #expect(try flaws { $0.builders?.people = ["x"] }.count == 1)
        #expect(try flaws { $0.signers.people = [] }.contains("signers.people is empty"))
        #expect(try flaws { $0.layers = [:] } == ["no layer has owners"])
    }

    @Test func thresholdsCanBeReached() throws {
        #expect(try flaws { $0.signers.threshold = 0 } == ["signers.threshold is 0, and there are 2 people"])
        #expect(try flaws { $0.signers.threshold = 3 } == ["signers.threshold is 3, and there are 2 people"])
        // One person who is named twice is one person.
        #expect(
            try flaws { $0.signers.people = ["ana", "ana"] }
                == ["signers.people names a person twice", "signers.threshold is 2, and there is 1 person"])
        #expect(
            try flaws { $0.layers["core"]?.owners = ["ana"] }
                == ["layers.core.oneWayThreshold is 2, and there is 1 person"])
        #expect(
            try flaws {
                $0.layers["core"]?.threshold = 2
                $0.layers["core"]?.oneWayThreshold = 1
            } == ["layers.core.oneWayThreshold is 1, less than its threshold"])
        #expect(try flaws { $0.onCall?.threshold = 2 } == ["onCall.threshold is 2, and there is 1 person"])
    }

    @Test func namesAndBounds() throws {
        let bo = try #require(try fixture.policy().people["bo"])
        #expect(try flaws { $0.people["-x"] = bo }.contains("'-x' is not a valid person name"))
        #expect(try flaws { $0.layers["Core"] = $0.layers["core"] }.contains("'Core' is not a valid layer name"))
        #expect(
            try flaws { $0.people["bo"]?.accounts = ["ana"] } == ["ana and bo have the same account ana"])
        #expect(try flaws { $0.people["bo"]?.accounts = ["a b"] } == ["'a b' is not a valid account name"])
        #expect(try flaws { $0.people["bo"]?.accounts = [] } == ["bo has 0 accounts"])
        #expect(try flaws { $0.version = 0 } == ["the version is 0"])
        #expect(try flaws { $0.revokedKeys = ["SHA256:x"] } == ["'SHA256:x' is no fingerprint"])
        let two = [try fixture.keys.fingerprint("stranger"), try fixture.keys.fingerprint("dan-ecdsa")].sorted()
        #expect(try flaws { $0.revokedKeys = two }.isEmpty)
        #expect(
            try flaws { $0.revokedKeys = two.reversed() } == ["revokedKeys is not sorted, or names a key twice"])
        #expect(
            try flaws { policy in
                for number in 0...PolicyLimits.peopleCount { policy.people[Owner("p\(number)")] = bo }
            }.contains("the policy names 1004 persons"))
        let many = Array(repeating: try fixture.keys.line("bo"), count: PolicyLimits.keysPerPerson + 1)
        #expect(try flaws { $0.people["bo"]?.keys = many }.contains("bo has 17 under keys"))
        #expect(
            try flaws { $0.people["bo"]?.keys = [String(repeating: "x", count: SignedText.bytes)] }
                .contains { $0.hasSuffix("bytes as it is signed") })
    }

    // MARK: Reading

    private func problem(_ text: String) throws -> PolicyProblem {
        try #require(throws: PolicyProblem.self) { try Policy.read(text) }
    }

    private func problem(_ change: (String) -> String) throws -> PolicyProblem {
        let text = try fixture.policy().text()
        let changed = change(text)
        #expect(changed != text)
        return try problem(changed)
    }

    @Test func aTextIsReadStrictly() throws {
        #expect(try problem { $0 + "\n" } == .unreadable(.endsWithLineEnd))
        #expect(
            try problem { $0.replacing("cleo", with: "cléo") }.words.contains("something else than printable ASCII"))
        #expect(
            try problem { $0.replacing(#""format":1"#, with: #""format":1,"format":1"#) }.words.contains(
                "same name twice"))
        #expect(
            try problem { $0.replacing(#""format":1"#, with: #""format":2"#) } == .unreadable(.otherFormat(2, known: 1))
        )
        #expect(
            try problem { $0.replacing(#""format":1"#, with: #""extra":0,"format":1"#) }
                == .unreadable(.unknownKey("extra")))
        #expect(
            try problem { $0.replacing(#""notAuthor":false"#, with: #""bypass":true,"notAuthor":false"#) }
                == .unreadable(.unknownKey("rules.bypass")))
        #expect(
            try problem { $0.replacing(#","version":1"#, with: #", "version":1"#) }.words.contains("canonical form"))
        #expect(
            try problem { $0.replacing(#""threshold":2"#, with: #""threshold":2.0"#) }.words.contains("canonical form"))
        #expect(
            try problem { $0.replacing(#""purpose":"policy""#, with: #""purpose":"approve""#) }
                == .wrongPurpose(.approve))
        #expect(
            try problem { $0.replacing(#","version":1"#, with: "") }.words
                == "the policy can not be read: the key 'version' is missing")
        #expect(
            try problem { $0.replacing(#""version":1"#, with: #""version":"1""#) }.words.contains(
                "'version' has a value of another type"))
        #expect(try problem { String($0.dropLast()) }.words.contains("not JSON"))
        #expect(
            try problem(String(repeating: " ", count: SignedText.bytes + 1)).words.contains(
                "more than the limit of 262144"))
        #expect(
            try problem { $0.replacing(#""threshold":2"#, with: #""threshold":3"#) }.words
                .hasPrefix("the policy breaks its own rules: signers.threshold is 3, and there are 2 people; "))
    }

    // MARK: Changes

    @Test func changesAreSaidInWords() throws {
        let old = try fixture.policy()
        var new = old
        #expect(new.changes(since: old).isEmpty)
        new.people["bo"] = nil
        new.people["dan"] = PolicyPerson(keys: [try fixture.keys.line("dan-ecdsa")])
        new.people["ana"]?.accounts = ["ana"]
        new.signers = PolicyGroup(people: ["ana", "dan"], threshold: 1)
        new.layers["core"] = PolicyLayer(owners: ["ana"], oneWayThreshold: 1)
        new.layers["db"] = PolicyLayer(owners: ["ana", "dan"], threshold: 2)
        new.onCall = nil
        new.rules.notAuthor = true
        new.revokedKeys = [try fixture.keys.fingerprint("bo")]
        let (dan, bo) = (try fixture.keys.fingerprint("dan-ecdsa"), try fixture.keys.fingerprint("bo"))
        #expect(
            new.changes(since: old) == [
                "ana: the account ana.admin is removed", "bo is removed", "dan is added",
                "dan: the key \(dan) (an ECDSA key on P-256) is added", "signers: dan joins", "signers: bo leaves",
                "signers: it takes 1, not 2", "layer core: bo leaves",
                "layer core: where a plan can not be taken back, it takes 1, not 2", "layer db: 2 of ana, dan",
                "layer db: where a plan can not be taken back, it takes 2", "onCall: nobody any more",
                "rules: the author of a plan does not count among those who approve it; before: the author of a plan may approve it",
                "the key \(bo) is revoked",
            ])
    }
}

import Approvals
import SSHSignatures
import Testing
import UpgradeDomain

/// Versions of a policy with signatures of the real `ssh-keygen`: what is trusted, and what is refused with which words.
struct PolicyChainTests {
    private let fixture: PolicyFixture
    private let first: SignedStatement
    private let chain: PolicyChain

    init() throws {
        fixture = try PolicyFixture()
        first = try fixture.first()
        chain = try PolicyChain([first], of: PolicyFixture.ledger, trusting: PolicyChain.fingerprint(of: first.text))
    }

    /// The next version, changed, signed with keys of the box.
    private func next(
        by names: String..., version: Int = 2, _ change: (inout Policy) throws -> Void = { _ in }
    ) throws -> SignedStatement {
        var policy = try fixture.policy(version: version, issuedAt: PolicyFixture.issued.advanced(bySeconds: 60))
        try change(&policy)
        return try fixture.signed(policy, by: names)
    }

    private func refusal(_ next: SignedStatement) throws -> PolicyProblem {
        try #require(throws: PolicyProblem.self) { try chain.adding(next) }
    }

    // MARK: What is trusted

    @Test func aVersionThatBothThresholdsSignedFollows() throws {
        let second = try next(by: "ana", "bo") { $0.layers["db"] = PolicyLayer(owners: ["ana", "cleo"]) }
        let both = try chain.adding(second)
        #expect(both.current.version == 2 && both.versions.count == 2 && both.fingerprint == chain.fingerprint)
        #expect(both[version: 1] == chain.current && both[version: 3] == nil && both[version: 0] == nil)
        // Offline, from the texts alone.
        let again = try PolicyChain([first, second], trusting: chain.fingerprint)
        #expect(again == both)
    }

    /// bo hands over to cleo: both of the old signers and both of the new ones must have signed.
    @Test func signersAreReplacedByTheOldAndTheNewOnes() throws {
        func handOver(_ names: [String]) throws -> SignedStatement {
            var policy = try fixture.policy(version: 2)
            policy.signers.people = ["ana", "cleo"]
            return try fixture.signed(policy, by: names)
        }
        #expect(try chain.adding(handOver(["ana", "bo", "cleo"])).current.signers.people == ["ana", "cleo"])
        let old = try refusal(try handOver(["ana", "bo"]))
        #expect(old.words.hasPrefix("version 2 needs 2 of its own signers (ana, cleo), and only ana of them signed it"))
        let new = try refusal(try handOver(["ana", "cleo"]))
        #expect(
            new.words.hasPrefix(
                "version 2 needs 2 of the signers of version 1, which it follows (ana, bo), and only ana of them signed it"
            ))
    }

    @Test func aLostKeyIsReplacedWithAnotherKeyOfThePerson() throws {
        let lost = try fixture.keys.fingerprint("ana")
        func replacement(by names: String...) throws -> SignedStatement {
            var policy = try fixture.policy(version: 2)
            policy.people["ana"]?.keys = [try fixture.keys.line("ana2")]
            policy.revokedKeys = [lost]
            return try fixture.signed(policy, by: names)
        }
        let second = try chain.adding(try replacement(by: "ana2", "bo"))
        #expect(second.current.revokedKeys == [lost])
        // The lost key does not help to bring about the version that revokes it.
        let stolen = try refusal(try replacement(by: "ana", "bo"))
        #expect(
            stolen.words.contains("only bo of them signed it; signature 1 (\(lost)) does not count: the key is revoked")
        )
        // It stays revoked.
        var policy = try fixture.policy(version: 3)
        policy.people["ana"]?.keys = [try fixture.keys.line("ana2")]
        let back = try fixture.signed(policy, by: ["ana2", "bo"])
        let problem = try #require(throws: PolicyProblem.self) { try second.adding(back) }
        #expect(problem == .revocationTakenBack(lost) && problem.words.hasSuffix("a revoked key stays revoked"))
    }

    // MARK: What is refused

    @Test func thresholdsCountPeopleAndNotKeys() throws {
        let twice = try refusal(try next(by: "ana", "ana2"))
        #expect(
            twice.words
                == "version 2 needs 2 of the signers of version 1, which it follows (ana, bo), and only ana of them signed it"
        )
        let repeated = try refusal(try next(by: "ana", "ana", "ana"))
        #expect(repeated.words == twice.words)
    }

    @Test func signaturesThatDoNotCountAreNamed() throws {
        let fingerprint = try fixture.keys.fingerprint("stranger")
        #expect(
            try refusal(try next(by: "ana", "stranger")).words
                .hasSuffix(
                    "only ana of them signed it; signature 2 (\(fingerprint)) does not count: the policy does not name this key"
                ))
        // cleo is a person of the policy, and no signer.
        #expect(try refusal(try next(by: "ana", "cleo")).words.hasSuffix("only ana of them signed it"))
        #expect(
            try refusal(try next(by: "anaBreakGlass", "bo")).words
                .hasSuffix("does not count: this key of ana is for break-glass only"))
        #expect(try refusal(try next()).words == "nobody has signed version 2")

        var wrong = try next(by: "ana")
        wrong.signatures.append(try fixture.keys.sign(wrong.text, with: "bo", namespace: "approve.v1@lockflight"))
        #expect(
            try refusal(wrong).words
                .hasSuffix("it was made for 'approve.v1@lockflight', and 'policy.v1@lockflight' is needed here"))

        var other = try next(by: "ana")
        other.signatures.append(try next(by: "bo") { $0.rules.notAuthor = true }.signatures[0])
        #expect(try refusal(other).words.hasSuffix("does not count: it is over another text, or damaged"))

        var damaged = try next(by: "ana", "bo")
        damaged.signatures[1] += "and more\n"
        #expect(try refusal(damaged).words.contains("signature 2 does not count: "))
    }

    @Test func theContentIsWhatWasSigned() throws {
        var changed = try next(by: "ana", "bo")
        changed.text = changed.text.replacing(#""oneWayThreshold":2"#, with: #""oneWayThreshold":1"#)
        #expect(try refusal(changed).words.contains("none of them signed it; signature 1"))
    }

    @Test func versionsCountUpByOne() throws {
        let second = try chain.adding(try next(by: "ana", "bo"))
        func words(_ version: Int) throws -> String {
            let text = try next(by: "ana", "bo", version: version)
            return try #require(throws: PolicyProblem.self) { try second.adding(text) }.words
        }
        #expect(try words(1) == "version 1 is older than the current version 2: a version never comes back")
        #expect(try words(2) == "version 2 is the current one already; the next is 3")
        #expect(try words(4) == "version 4 does not follow version 2: version 3 is missing")
        #expect(try second.adding(try next(by: "ana", "bo", version: 3)).current.version == 3)
    }

    @Test func ledgerTimeAndRulesAreChecked() throws {
        #expect(
            try refusal(try next(by: "ana", "bo") { $0.ledger = "l-other" }).words
                == "the policy is about the ledger l-other, and this is l-0123")
        let earlier = try refusal(
            try next(by: "ana", "bo") { $0.issuedAt = SignedTime(PolicyFixture.issued.advanced(bySeconds: -1)) })
        #expect(earlier.words.contains("before the version that it follows"))
        // At the same second is fine.
        _ = try chain.adding(try next(by: "ana", "bo") { $0.issuedAt = chain.current.issuedAt })
        #expect(
            try refusal(try next(by: "ana", "bo") { $0.signers.threshold = 9 }).words
                .hasPrefix("the policy breaks its own rules: signers.threshold is 9"))
    }

    @Test func theFirstVersionIsTrustedByItsFingerprint() throws {
        let trusted = chain.fingerprint
        #expect(trusted.isSHA256)
        var other = try fixture.policy()
        other.layers["core"]?.threshold = 2
        let foreign = try fixture.signed(other, by: ["ana", "bo"])
        let problem = try #require(throws: PolicyProblem.self) { try PolicyChain([foreign], trusting: trusted) }
        #expect(problem == .otherFingerprint(found: PolicyChain.fingerprint(of: foreign.text), trusted: trusted))
        #expect(problem.words.hasSuffix("it is another policy"))

        func words(_ signed: [SignedStatement], _ ledger: LedgerID? = nil) throws -> String {
            let fingerprint = PolicyChain.fingerprint(of: signed.first?.text ?? "")
            return try #require(throws: PolicyProblem.self) {
                try PolicyChain(signed, of: ledger, trusting: fingerprint)
            }.words
        }
        #expect(try words([]) == "there is no version of a policy")
        #expect(try words([try next(by: "ana", "bo")]) == "version 2 is not the first one, and version 1 is not there")
        #expect(try words([first], "l-9") == "the policy is about the ledger l-0123, and this is l-9")
        #expect(
            try words([try fixture.signed(fixture.policy(), by: ["ana"])])
                == "version 1 needs 2 of its own signers (ana, bo), and only ana of them signed it")
        #expect(try words([SignedStatement(text: first.text)]) == "nobody has signed version 1")
    }

    @Test func sharesSayWhoIsMissing() throws {
        var policy = try fixture.policy(version: 2)
        policy.signers.people = ["ana", "cleo"]
        let shares = try PolicyChain.shares(of: fixture.signed(policy, by: ["ana", "bo"]), after: chain)
        #expect(shares.map(\.version) == [1, 2] && shares.map(\.isComplete) == [true, false])
        #expect(shares[1].present == ["ana"] && shares[1].absent == ["cleo"])
        #expect(
            try PolicyChain.shares(of: SignedStatement(text: first.text), after: nil).map(\.absent) == [["ana", "bo"]])
    }
}

import Approvals
import Testing
import UpgradeDomain

/// Signatures become people in one place.
struct SignatureFindingsTests {
    private let fixture: PolicyFixture
    private let text = #"{"format":1}"#

    init() throws { fixture = try PolicyFixture() }

    private func findings(
        _ purpose: Purpose, by names: String..., policy: Policy? = nil, namespace: String? = nil
    ) throws -> SignatureFindings {
        let signatures = try names.map {
            try fixture.keys.sign(text, with: $0, namespace: namespace ?? purpose.namespace)
        }
        return try (policy ?? fixture.policy()).signers(of: text, signatures: signatures, as: purpose)
    }

    @Test func keysOfAPersonCountAsThePerson() throws {
        let found = try findings(.approve, by: "ana", "ana2", "bo", "cleo")
        #expect(
            found.people == [
                "ana": [try fixture.keys.fingerprint("ana"), try fixture.keys.fingerprint("ana2")],
                "bo": [try fixture.keys.fingerprint("bo")], "cleo": [try fixture.keys.fingerprint("cleo")],
            ])
        #expect(found.refused.isEmpty && found.signers(among: ["bo", "cleo", "dora"]) == ["bo", "cleo"])
    }

    @Test(arguments: Purpose.allCases)
    func breakGlassHasKeysOfItsOwn(_ purpose: Purpose) throws {
        let found = try findings(purpose, by: "ana", "anaBreakGlass")
        switch purpose {
        case .breakGlass:
            #expect(found.people == ["ana": [try fixture.keys.fingerprint("anaBreakGlass")]])
            #expect(found.refused.map(\.reason) == [.ordinaryKey("ana")] && found.refused[0].index == 0)
        case .release:
            #expect(found.people.isEmpty)
            #expect(found.refused.map(\.reason) == [.noBuilder("ana"), .breakGlassKey("ana")])
        case .approve, .recover, .acknowledge, .revoke, .policy:
            #expect(found.people == ["ana": [try fixture.keys.fingerprint("ana")]])
            #expect(found.refused.map(\.reason) == [.breakGlassKey("ana")] && found.refused[0].index == 1)
        }
    }

    @Test func aReleaseCountsTheBuilders() throws {
        #expect(try findings(.release, by: "cleo", "bo").people.keys.sorted() == ["cleo"])
        var policy = try fixture.policy()
        policy.builders = nil
        #expect(try findings(.release, by: "cleo", policy: policy).people.isEmpty)
    }

    @Test(arguments: Purpose.allCases)
    func aSignatureForAnotherPurposeDoesNotCount(_ purpose: Purpose) throws {
        for other in Purpose.allCases where other != purpose {
            let found = try findings(purpose, by: "cleo", "anaBreakGlass", namespace: other.namespace)
            #expect(found.people.isEmpty)
            #expect(
                found.refused.map(\.reason)
                    == Array(repeating: .wrongNamespace(signed: other.namespace, expected: purpose.namespace), count: 2)
            )
        }
    }

    @Test func revokedUnknownAndShortKeysDoNotCount() throws {
        var policy = try fixture.policy()
        policy.revokedKeys = [try fixture.keys.fingerprint("bo")]
        policy.rules.minimumRSABits = 3_072
        policy.people["cleo"]?.keys.append(try fixture.keys.line("cleo-rsa"))
        #expect(
            try findings(.approve, by: "bo", "stranger", "cleo-rsa", policy: policy).refused.map(\.reason)
                == [.revokedKey, .unknownKey])
        policy.rules.minimumRSABits = 4_096
        let short = try findings(.approve, by: "cleo-rsa", policy: policy)
        #expect(
            short.people.isEmpty && short.refused[0].words.contains("has 3072 bits, and at least 4096 are required"))
        policy.rules.minimumRSABits = nil
        #expect(try findings(.approve, by: "cleo-rsa", policy: policy).refused[0].words.contains("RSA is not accepted"))
    }

    @Test func aSecurityKeyMustBeTouchedIfThePolicySaysSo() throws {
        let key = SoftSecurityKey()
        var policy = try fixture.policy()
        policy.people["bo"]?.keys = [key.line]
        #expect(policy.problems.isEmpty)
        let signatures = try [true, false].map { try key.sign(text, as: .approve, touched: $0) }
        let strict = policy.signers(of: text, signatures: signatures, as: .approve)
        #expect(strict.people.keys.sorted() == ["bo"])
        #expect(strict.refused.map(\.reason) == [.noTouch] && strict.refused.map(\.index) == [1])
        policy.rules.requiresTouch = false
        #expect(policy.signers(of: text, signatures: signatures, as: .approve).refused.isEmpty)
    }

    @Test func anotherTextAndDamageDoNotCount() throws {
        let signature = try fixture.keys.sign(text, with: "bo", namespace: Purpose.approve.namespace)
        let found = try fixture.policy().signers(
            of: text + " ", signatures: [signature, "", signature + "x"], as: .approve)
        #expect(found.people.isEmpty && found.refused[0].reason == .doesNotMatch)
        #expect(found.refused[0].fingerprint == (try fixture.keys.fingerprint("bo")))
        #expect(found.refused.dropFirst().allSatisfy { $0.fingerprint == nil })
        #expect(found.refused[2].words.contains("something follows"))
    }
}

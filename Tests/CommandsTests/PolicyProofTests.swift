import Testing
import UpgradeDomain

@testable import Commands

/// Which fingerprints of a policy make a bundle trusted.
struct PolicyProofTests {
    private let versions: [Digest] = ["sha256:1", "sha256:2", "sha256:3"]

    private func version(_ given: Digest..., startingWith start: Int) throws(PolicyProof.Mismatch) -> Int {
        try PolicyProof.version(having: given, among: versions, startingWith: start)
    }

    @Test func aVersionThatTheRunStartedWithIsTrustedWithAllThatFollows() throws {
        #expect(try version("sha256:1", startingWith: 1) == 1)
        #expect(try version("sha256:2", startingWith: 2) == 2)
        #expect(try version("sha256:1", "sha256:3", startingWith: 1) == 3)
    }

    /// Somebody else's version 1 can be followed by the real version 2, which its signers have signed; what was changed
    /// before it came is not theirs.
    @Test func aVersionThatCameLaterSaysNothingAboutWhatWasBefore() {
        #expect(throws: PolicyProof.Mismatch.tooLate(2, startedWith: 1)) { try version("sha256:2", startingWith: 1) }
        #expect(throws: PolicyProof.Mismatch.tooLate(2, startedWith: 1)) {
            try version("sha256:3", "sha256:2", startingWith: 1)
        }
    }

    @Test func aVersionThatTheRunNeverSawIsAsked() {
        #expect(throws: PolicyProof.Mismatch.unknown("sha256:4", newest: 3, "sha256:3")) {
            try version("sha256:1", "sha256:4", startingWith: 1)
        }
    }
}

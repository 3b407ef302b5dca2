import Synchronization
import Testing

@testable import SSHSignatures

/// What was computed is not computed again, what failed is, and there is a limit.
struct LastResultsTests {
    private struct Refused: Error {}

    @Test func aResultIsComputedOnce() {
        let results = LastResults<String, Int>(limit: 4)
        let computed = Mutex(0)
        for word in ["one", "three", "one", "one", "three"] {
            let length = results.result(for: word) {
                computed.withLock { $0 += 1 }
                return word.utf8.count
            }
            #expect(length == word.utf8.count)
        }
        #expect(computed.withLock(\.self) == 2)
    }

    @Test func aFailureIsTriedAgain() throws {
        let results = LastResults<String, Int>(limit: 4)
        #expect(throws: Refused.self) { try results.result(for: "one") { throw Refused() } }
        #expect(try results.result(for: "one") { () throws(Refused) in 1 } == 1)
        #expect(try results.result(for: "one") { () throws(Refused) in throw Refused() } == 1)
    }

    @Test func noMoreThanTheLimitAreKept() {
        let results = LastResults<Int, Int>(limit: 2)
        for number in 1...3 { _ = results.result(for: number) { number } }
        // The third one made the others be forgotten.
        #expect(results.result(for: 3) { 0 } == 3)
        #expect(results.result(for: 1) { 0 } == 0)
    }

    /// The same signature is right for one content and wrong for another, in any order.
    @Test func aRightSignatureIsNotRightForOtherContent() throws {
        let signature = try Vectors.signature("ed25519")
        let message = try Vectors.message()
        for _ in 0..<2 {
            #expect(throws: SignatureProblem.doesNotMatch(signature.publicKey)) {
                try signature.verify(message: message + [0], namespace: Vectors.namespace)
            }
            #expect(try signature.verify(message: message, namespace: Vectors.namespace) == signature.publicKey)
        }
    }
}

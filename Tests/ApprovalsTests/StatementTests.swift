import Approvals
import Testing

/// What is signed.
@Suite struct StatementTests {
    @Test func eachPurposeHasItsOwnNamespace() {
        #expect(Set(Purpose.allCases.map(\.namespace)).count == Purpose.allCases.count)
        #expect(Purpose.breakGlass.namespace == "break-glass.v1@lockflight")
    }
}

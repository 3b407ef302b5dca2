import Testing

@testable import FleetAccess

struct AgentBinaryTests {
    /// A build in a checkout uses the agents that were built in the same checkout.
    @Test(arguments: [
        "/src/.build/debug/lockflight", "/src/.build/x86_64-unknown-linux-gnu/release/lockflight",
    ])
    func aBuildOfACheckoutFindsTheAgentsOfThatCheckout(_ executable: String) {
        let folders = AgentBinaries.standard(environment: [:], executable: executable).folders
        #expect(folders.contains("/src/.build-agent/out"), "\(folders)")
    }
}

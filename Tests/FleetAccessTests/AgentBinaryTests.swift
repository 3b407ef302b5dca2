import Testing

@testable import FleetAccess

struct AgentBinaryTests {
    /// What is built in a checkout brings the agents that are built there.
    @Test(arguments: [
        "/src/.build/debug/lockflight", "/src/.build/x86_64-unknown-linux-gnu/release/lockflight",
    ])
    func aBuildOfACheckoutFindsTheAgentsOfThatCheckout(_ executable: String) {
        let folders = AgentBinaries.standard(environment: [:], executable: executable).folders
        #expect(folders.contains("/src/.build-agent/out"), "\(folders)")
    }
}

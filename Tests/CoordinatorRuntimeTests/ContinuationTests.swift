import AgentProtocol
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// Tests which build of the coordinator may continue a run of another build.
struct ContinuationTests {
    private let own = CoordinatorBuild(version: "2.0.0", protocols: [3, 2])

    private func attached(_ build: CoordinatorBuild?) -> RunEvent {
        .driverAttached(Driver(epoch: 1, user: "ana", machine: "desk", processID: 1, build: build))
    }

    @Test func aRunGoesOnWithABuildThatSpeaksAProtocolOfTheLastOne() throws {
        let older = CoordinatorBuild(version: "1.4.0", protocols: [2, 1])
        #expect(
            try RunDriver.previousBuild(of: "r-1", [attached(nil), attached(older)], continuedBy: own) == older)
        #expect(try RunDriver.previousBuild(of: "r-1", [attached(nil)], continuedBy: own) == nil)
    }

    @Test func aRunOfABuildWithOtherProtocolsIsRefusedAndTheBuildNamed() {
        let newer = CoordinatorBuild(version: "5.0.0", protocols: [4])
        let events = [attached(CoordinatorBuild(version: "2.0.0", protocols: [3])), attached(newer)]
        let error = #expect(throws: RuntimeError.self) {
            try RunDriver.previousBuild(of: "r-1", events, continuedBy: own)
        }
        #expect(error == .protocolNotSupported("r-1", drivenBy: newer, build: own))
        #expect(error?.description.contains("continue with 5.0.0") == true)
    }
}

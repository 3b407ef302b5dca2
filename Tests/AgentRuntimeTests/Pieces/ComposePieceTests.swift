import AgentProtocol
import Foundation
import RolloutEngine
import Testing
import UpgradeDomain

@testable import CoordinatorRuntime

/// Reads the page's Compose block with output in the format of Compose, as tests have no engine.
struct ComposePieceTests {
    @Test func eachContainerIsReadWithItsStateAndItsHealth() throws {
        #expect(
            try ComposePieceTests.read { $0 }.items.map { "\($0.key): \($0.value) \($0.health.rawValue)" } == [
                "stack-api-1: running, healthy healthy", "stack-db-1: running healthy",
                "stack-worker-1: running, unhealthy unhealthy", "stack-migrate-1: exited unhealthy",
                "stack-mirror-1: running, starting unknown",
            ])
    }

    /// Compose before 2.21.0 printed one array.
    @Test func anArrayIsReadTheSame() throws {
        let lines = try ComposePieceTests.read { $0 }
        let array = try ComposePieceTests.read {
            "[" + $0.split(separator: "\n").joined(separator: ",") + "]"
        }
        #expect(array.items == lines.items)
    }

    private static func read(_ change: (String) -> String) throws -> SurfaceReading {
        let host = try HostUnderTest()
        let piece = try Piece(try PiecesPage.block(of: "yaml", in: "Compose"), in: host.folder)
        let surface = try #require(piece.plan.layers[0].evidence?.first)
        let body = try String(
            contentsOf: PiecesPage.repository.appending(path: "Tests/CoordinatorRuntimeTests/Bodies/compose.json"),
            encoding: .utf8)
        let reply = SurfaceReply(
            name: surface.name, durationMilliseconds: 1, hostTime: WallTime(clamping: 1), resultCode: 0,
            body: Bytes(Array(change(body).utf8)), truncated: false)
        return EvidenceAssembly.reading(SurfaceOrder(surface: surface, role: .family), reply, rawDigest: nil)
    }
}

import Testing
import UpgradeDomain

@testable import RolloutEngine

/// The number of simultaneous requests is bounded, and the sets of placements match a scan of every placement.
struct FleetSizeTests {
    private static let count = Decision.readsAtOnce + 60

    private func fleet() -> EngineHarness {
        let hosts = (0..<FleetSizeTests.count).map { (HostName("h\($0)"), [LayerName("core")]) }
        return EngineHarness(Model.run([Model.layer("core")], hosts: hosts))
    }

    @Test func theNumberOfHostsAskedAtOnceIsBounded() {
        var harness = fleet()
        harness.attach()
        #expect(harness.next.effects.count == Decision.readsAtOnce)
        var widest = 0
        harness.run { harness in
            widest = max(widest, harness.next.effects.count)
            return harness.state.stage == .batch(layer: 0, index: 0)
        }
        #expect(harness.state.stage == .batch(layer: 0, index: 0))
        #expect(widest == Decision.readsAtOnce)
        #expect(harness.state.preflight.count == FleetSizeTests.count)
        #expect(harness.state.baselines.count == FleetSizeTests.count)
    }

    /// More hosts are dead than are asked at once, and they come first; the others are still asked.
    @Test func deadHostsDoNotKeepTheOthersFromBeingHeard() {
        var harness = fleet()
        let dead = Set((0..<Decision.readsAtOnce + 10).map { HostName("h\($0)") })
        for host in dead { harness.machines[Placement(host: host, layer: "core")]?.isReachable = false }
        harness.run()
        #expect(harness.state.status == .held(.hostUnreachable))
        #expect(Set(harness.state.unresolvedFailures.compactMap(\.host)) == dead)
        #expect(harness.state.preflight.count == FleetSizeTests.count - dead.count)
    }

    @Test func aPlacementSetBehavesLikeASet() {
        var random = Dice(state: 7)
        let placements = (0..<150).map { Placement(host: HostName("h\($0)"), layer: $0 < 70 ? "core" : "edge") }
        let batches = [0..<1, 1..<64, 64..<70, 70..<150].map {
            Batch(layer: placements[$0.lowerBound].layer, index: 0, placements: Array(placements[$0]))
        }
        let order = PlacementOrder([batches])
        var plain: Set<Placement> = []
        var set = PlacementSet(of: order) { _ in false }
        for _ in 0..<2_000 {
            let placement = placements[Int.random(in: placements.indices, using: &random)]
            if Bool.random(using: &random) {
                plain.insert(placement)
                set.insert(placement)
            } else {
                plain.remove(placement)
                set.remove(placement)
            }
            #expect(set.count == plain.count && set.contains(placement) == plain.contains(placement))
            #expect(Array(set) == placements.filter(plain.contains))
            let batch = batches[Int.random(in: batches.indices, using: &random)]
            #expect(set.members(of: batch) == batch.placements.filter(plain.contains))
            #expect(set.members(of: batch, atMost: 3) == Array(batch.placements.filter(plain.contains).prefix(3)))
        }
        set.insert(Placement(host: "stranger", layer: "core"))
        #expect(set.count == plain.count)
    }
}

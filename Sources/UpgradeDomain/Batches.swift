/// Placements of a layer that change together.
package struct Batch: Codable, Hashable, Sendable {
    package let layer: LayerName
    /// From 0; batch 0 is the canary.
    package let index: Int
    package let placements: [Placement]

    package init(layer: LayerName, index: Int, placements: [Placement]) {
        self.layer = layer
        self.index = index
        self.placements = placements
    }
}

extension PlanLayer {
    /// The layer's batches over its hosts, in inventory order.
    ///
    /// Sizes are cumulative and percentages round up. Sizes that add no hosts are dropped. The hosts left after the
    /// last size form a final batch, so the batches always cover every host exactly once.
    package func batches(over hosts: [HostName]) -> [Batch] {
        var batches: [Batch] = []
        var reached = 0
        for size in batchSizesToTheEnd {
            let target: Int
            switch size {
            case .count(let count): target = min(count, hosts.count)
            case .percent(let percent): target = (hosts.count * percent + 99) / 100
            }
            guard target > reached else { continue }
            let members = hosts[reached..<target].map { Placement(host: $0, layer: name) }
            batches.append(Batch(layer: name, index: batches.count, placements: members))
            reached = target
        }
        return batches
    }

    private var batchSizesToTheEnd: [BatchSize] { batches + [.percent(100)] }
}

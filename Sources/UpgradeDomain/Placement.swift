import SafeText

/// One host in one layer: the unit of state, operation and rollback.
///
/// Written `host/layer`, also as a dictionary key.
package struct Placement: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let host: HostName
    package let layer: LayerName

    package init(host: HostName, layer: LayerName) {
        self.host = host
        self.layer = layer
    }

    /// Reads `host/layer`; nil if the text has no slash.
    package init?(_ text: String) {
        guard let halves = text.cut(at: "/") else { return nil }
        host = HostName(String(halves.before))
        layer = LayerName(String(halves.after))
    }

    package var description: String { "\(host)/\(layer)" }

    package static func < (left: Placement, right: Placement) -> Bool {
        (left.layer, left.host) < (right.layer, right.host)
    }
}

extension Placement: Codable, CodingKeyRepresentable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Placement(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not HOST/LAYER"))
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var codingKey: any CodingKey { TextKey(description) }

    package init?(codingKey: some CodingKey) { self.init(codingKey.stringValue) }
}

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

/// A coding key that is any text.
struct TextKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

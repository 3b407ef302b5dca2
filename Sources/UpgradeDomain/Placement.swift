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

/// A coding key that is any text.
struct TextKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

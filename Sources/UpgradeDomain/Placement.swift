import SafeText

/// One host in one layer: the unit of state, operation and rollback.
///
/// Written `host/layer`, also as a dictionary key.
public struct Placement: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let host: HostName
    public let layer: LayerName

    public init(host: HostName, layer: LayerName) {
        self.host = host
        self.layer = layer
    }

    /// Reads `host/layer`; nil when the text has no slash.
    public init?(_ text: String) {
        guard let halves = text.cut(at: "/") else { return nil }
        host = HostName(String(halves.before))
        layer = LayerName(String(halves.after))
    }

    public var description: String { "\(host)/\(layer)" }

    public static func < (left: Placement, right: Placement) -> Bool {
        (left.layer, left.host) < (right.layer, right.host)
    }
}

extension Placement: Codable, CodingKeyRepresentable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Placement(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not HOST/LAYER"))
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var codingKey: any CodingKey { TextKey(description) }

    public init?(codingKey: some CodingKey) { self.init(codingKey.stringValue) }
}

/// A coding key that is any text.
struct TextKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ text: String) { stringValue = text }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

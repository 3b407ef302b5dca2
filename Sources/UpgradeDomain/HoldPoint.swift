import SafeText

/// A point before which a run waits for an approval that names it.
///
/// Written `run`, `LAYER` or `LAYER/BATCH` with the batch's number from 1, in plans and in statements.
package enum HoldPoint: Hashable, Sendable, CustomStringConvertible {
    /// Before the first change; the baselines are taken.
    case run
    case layer(LayerName)
    /// `index` from 0, as in ``Boundary``.
    case batch(layer: LayerName, index: Int)

    /// Nil for any other text. A layer with the name `run` can not be a hold point.
    package init?(_ text: String) {
        if text.isSpelled("run") {
            self = .run
        } else if let halves = text.cut(at: "/") {
            guard let number = Int(halves.after), number >= 1, number <= 1_000_000,
                String(number).isSpelled(halves.after),
                !halves.before.isEmpty
            else { return nil }
            self = .batch(layer: LayerName(String(halves.before)), index: number - 1)
        } else if !text.isEmpty {
            self = .layer(LayerName(text))
        } else {
            return nil
        }
    }

    /// Nil for the whole run.
    package var layer: LayerName? {
        switch self {
        case .run: nil
        case .layer(let layer), .batch(let layer, _): layer
        }
    }

    package var spelled: String {
        switch self {
        case .run: "run"
        case .layer(let layer): layer.rawValue
        case .batch(let layer, let index): "\(layer)/\(index + 1)"
        }
    }

    package var description: String {
        switch self {
        case .run: "the first change"
        case .layer(let layer): "layer \(layer)"
        case .batch(let layer, let index): "layer \(layer), batch \(index + 1)"
        }
    }
}

extension HoldPoint: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let point = HoldPoint(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text)' is not a hold point"))
        }
        self = point
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(spelled)
    }
}

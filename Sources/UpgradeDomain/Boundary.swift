/// A place where a run can stop.
package enum Boundary: Codable, Hashable, Sendable, CustomStringConvertible {
    case preflight
    case baseline
    case batch(layer: LayerName, index: Int)
    case layer(LayerName)
    case end

    package var description: String {
        switch self {
        case .preflight: "preflight"
        case .baseline: "baseline"
        case .batch(let layer, let index): "layer \(layer), batch \(index + 1)"
        case .layer(let layer): "layer \(layer), boundary"
        case .end: "end"
        }
    }
}

/// The JSON that a surface answered. Lockflight only reads it and never writes it again.
///
/// A number keeps its original text: a build number of twenty digits, or `1.10`, is an identity, not a quantity. Only
/// ``measure`` converts it to a quantity.
package enum Answer: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number exactly as it was written.
    case number(String)
    case string(String)
    case array([Answer])
    case object([String: Answer])

    /// The original text of a scalar; nil for null, arrays and objects.
    package var text: String? {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .number(let value), .string(let value): value
        case .null, .array, .object: nil
        }
    }

    /// How many elements or members it has; nil for scalars and null.
    package var count: Int? {
        switch self {
        case .array(let elements): elements.count
        case .object(let members): members.count
        case .null, .bool, .number, .string: nil
        }
    }

    /// The number as a quantity, to the precision of a double; nil for everything else, and for a number outside the
    /// range of a double.
    package var measure: Double? {
        guard case .number(let digits) = self, let value = Double(digits), value.isFinite else { return nil }
        return value
    }
}

extension Answer: PointedJSON {
    package func child(_ token: String) -> Answer? {
        switch self {
        case .object(let members): members[token]
        case .array(let elements):
            JSONPointer.index(token).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
        case .null, .bool, .number, .string: nil
        }
    }
}

/// What a surface answered in JSON. It is only read, and never written again.
///
/// A number keeps the text that it was written as: a build number of twenty digits, or `1.10`, is an identity and no quantity.
/// Only ``measure`` makes a quantity of it.
package enum Answer: Hashable, Sendable {
    case null
    case bool(Bool)
    /// As it was written.
    case number(String)
    case string(String)
    case array([Answer])
    case object([String: Answer])

    /// A scalar as it was written; nil for null, arrays and objects.
    package var text: String? {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .number(let value), .string(let value): value
        case .null, .array, .object: nil
        }
    }

    /// The quantity that a number is, as near as a double comes to it; nil for everything else, and for a number beyond all
    /// doubles.
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

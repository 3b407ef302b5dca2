/// An output of the program, and how external text is made safe for it.
package protocol TextSink: Sendable {
    /// Text that the output shows as plain text, whatever it contains.
    static func escaped(_ text: String) -> String
}

/// Text that is safe for one sink.
///
/// Literals in the source code are used unchanged; interpolated values are escaped. A `String` must be escaped to
/// become such text, and so must the text of another sink.
package struct Text<Sink: TextSink>: Hashable, Sendable {
    /// The text as it is sent to the sink.
    package let written: String

    /// - Parameter text: from any source.
    package init(escaping text: String) { written = Sink.escaped(text) }

    init(written: String) { self.written = written }

    package var isEmpty: Bool { written.isEmpty }

    package static func + (before: Text, after: Text) -> Text { Text(written: before.written + after.written) }
    package static func += (before: inout Text, after: Text) { before = before + after }

    package init(repeating text: Text, count: Int) {
        written = String(repeating: text.written, count: max(0, count))
    }
}

extension Text: ExpressibleByStringInterpolation {
    package init(stringLiteral literal: StaticString) { written = "\(literal)" }
    package init(stringInterpolation parts: StringInterpolation) { written = parts.written }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var written = ""

        package init(literalCapacity: Int, interpolationCount: Int) { written.reserveCapacity(literalCapacity) }

        package mutating func appendLiteral(_ literal: StaticString) { written += "\(literal)" }
        package mutating func appendInterpolation(_ text: Text) { written += text.written }
        package mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            written += Sink.escaped(value.description)
        }
    }
}

extension Sequence {
    package func joined<Sink>(separator: Text<Sink> = "") -> Text<Sink> where Element == Text<Sink> {
        Text(written: map(\.written).joined(separator: separator.written))
    }
}

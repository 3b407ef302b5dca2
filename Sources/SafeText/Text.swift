/// A way out of the program, and how text from elsewhere is made harmless for it.
public protocol TextSink: Sendable {
    /// Text that is only text there, whatever it holds.
    static func escaped(_ text: String) -> String
}

/// Text that one sink takes as it stands.
///
/// What is written in the source code is taken as it is written; whatever is interpolated into it is escaped. A `String` is no
/// such text and does not become one without being escaped, nor does the text of another sink.
public struct Text<Sink: TextSink>: Hashable, Sendable {
    /// As it goes into the sink.
    public let written: String

    /// - Parameter text: from anywhere.
    public init(escaping text: String) { written = Sink.escaped(text) }

    init(written: String) { self.written = written }

    public var isEmpty: Bool { written.isEmpty }

    public static func + (before: Text, after: Text) -> Text { Text(written: before.written + after.written) }
    public static func += (before: inout Text, after: Text) { before = before + after }

    public init(repeating text: Text, count: Int) {
        written = String(repeating: text.written, count: max(0, count))
    }
}

extension Text: ExpressibleByStringInterpolation {
    public init(stringLiteral literal: StaticString) { written = "\(literal)" }
    public init(stringInterpolation parts: StringInterpolation) { written = parts.written }

    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var written = ""

        public init(literalCapacity: Int, interpolationCount: Int) { written.reserveCapacity(literalCapacity) }

        public mutating func appendLiteral(_ literal: StaticString) { written += "\(literal)" }
        public mutating func appendInterpolation(_ text: Text) { written += text.written }
        public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            written += Sink.escaped(value.description)
        }
    }
}

extension Sequence {
    public func joined<Sink>(separator: Text<Sink> = "") -> Text<Sink> where Element == Text<Sink> {
        Text(written: map(\.written).joined(separator: separator.written))
    }
}

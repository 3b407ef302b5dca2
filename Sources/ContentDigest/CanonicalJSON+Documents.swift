package import UpgradeDomain

extension CanonicalJSON {
    /// The canonical bytes of a value, in whatever order it encodes its keys.
    ///
    /// - Throws: `NotRepresentable` for an integer beyond ``largestInteger``, which the RFC would round, and for a
    ///   number that is not finite; any error from the value's `encode(to:)`.
    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        CanonicalWriter.write(try JSONTree(of: value))
    }

    /// Reads a value back from canonical (or any other) JSON.
    ///
    /// - Throws: `JSONError` for text that is not JSON, or that repeats a name; `DecodingError` if it is not a valid
    ///   value.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], nestingDepth: Int = CanonicalJSON.nestingDepth,
        beyondRange: BeyondRange = .refused
    ) throws -> Value {
        try TapeDecoder.decode(
            type, from: JSONTape(parsing: bytes, nestingDepth: nestingDepth), beyondRange: beyondRange)
    }

    /// The original bytes of an object or array within a document. A digest is verified against these bytes, not
    /// against what this build would read and write again.
    ///
    /// - Parameters:
    ///   - names: the member names on the path to it.
    ///   - document: JSON, canonical or not.
    /// - Returns: nil if the document does not contain it.
    package static func bytes(of names: [String], in document: [UInt8]) -> [UInt8]? {
        guard let tape = try? JSONTape(parsing: document, nestingDepth: nestingDepth) else { return nil }
        var index = 0
        for name in names {
            guard tape.kind(index) == .object, let member = tape.member(name, of: index, from: index + 1) else {
                return nil
            }
            index = member
        }
        guard [.object, .array].contains(tape.kind(index)) else { return nil }
        let entry = tape.entries[index]
        return Array(tape.bytes[Int(entry.start)..<Int(entry.end)])
    }

    /// Reads a value back from stored data, possibly from before its numbers had ranges.
    package static func stored<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try decode(type, from: bytes, beyondRange: .clamped)
    }

    /// Reads the JSON that a surface answered.
    ///
    /// - Throws: `JSONError` for text that is not JSON, or that repeats a name.
    package static func answer(
        from bytes: [UInt8], nestingDepth: Int = CanonicalJSON.nestingDepth
    ) throws(JSONError) -> Answer {
        try JSONTape(parsing: bytes, nestingDepth: nestingDepth).answer(0)
    }
}

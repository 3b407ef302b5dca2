import ContentDigest
import UpgradeDomain

/// Reads and writes the texts that people sign: canonical JSON in ASCII, so that a text has one meaning and a meaning has
/// one text.
package enum SignedText {
    /// The longest text that is read.
    package static let bytes = 262_144
    static let nestingDepth = 16
    /// Most texts of a kind that are remembered once they were read.
    static let rememberedCount = 64

    /// The text of a value, which is exactly what is signed.
    package static func write(_ value: some Encodable) throws -> String {
        String(decoding: try CanonicalJSON.encode(value), as: UTF8.self)
    }

    /// Reads a text strictly: what it says must be written again as the same bytes.
    ///
    /// - Parameters:
    ///   - type: what it is.
    ///   - text: the signed bytes.
    ///   - format: the version of its shape that this build reads, as its key `format` has it.
    package static func read<Value: Codable>(
        _ type: Value.Type, from text: String, format: Int
    ) throws(SignedTextProblem) -> Value {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.bytes else { throw .tooLong(bytes: bytes.count) }
        if bytes.last == 0x0a { throw .endsWithLineEnd }
        if let place = bytes.firstIndex(where: { $0 < 0x20 || $0 > 0x7e }) { throw .notPrintable(byteOffset: place) }
        let document: JSONValue
        do {
            document = try CanonicalJSON.decode(JSONValue.self, from: bytes, nestingDepth: nestingDepth)
        } catch {
            throw .notJSON("\(error)")
        }
        if case .object(let members) = document, case .integer(let found) = members["format"], found != Int64(format) {
            throw .otherFormat(found, known: format)
        }
        let value: Value
        let again: [UInt8]
        do {
            value = try CanonicalJSON.decode(Value.self, from: bytes, nestingDepth: nestingDepth)
            again = try CanonicalJSON.encode(value)
        } catch {
            throw .invalid(error.documentWords)
        }
        guard again != bytes else { return value }
        if let written = try? CanonicalJSON.decode(JSONValue.self, from: again),
            let key = unknownKey(in: document, against: written, path: "")
        {
            throw .unknownKey(key)
        }
        let same = zip(bytes, again).prefix { $0 == $1 }.count
        throw .notCanonical(byteOffset: same)
    }

    /// The first key that the value which was read does not have.
    private static func unknownKey(in document: JSONValue, against written: JSONValue, path: String) -> String? {
        switch (document, written) {
        case (.object(let members), .object(let known)):
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                let place = path.isEmpty ? key : "\(path).\(key)"
                guard let other = known[key] else { return place }
                if let inside = unknownKey(in: value, against: other, path: place) { return inside }
            }
            return nil
        case (.array(let elements), .array(let others)):
            for (index, pair) in zip(elements, others).enumerated() {
                if let inside = unknownKey(in: pair.0, against: pair.1, path: "\(path)[\(index + 1)]") { return inside }
            }
            return nil
        case (.null, _), (.bool, _), (.integer, _), (.number, _), (.string, _), (.array, _), (.object, _): return nil
        }
    }
}

/// Why a text is not one that people sign.
package enum SignedTextProblem: Error, Hashable, Sendable {
    case tooLong(bytes: Int)
    /// An editor or a mail added it; the signatures are over the text without it.
    case endsWithLineEnd
    case notPrintable(byteOffset: Int)
    /// Repeated keys included.
    case notJSON(String)
    case otherFormat(Int64, known: Int)
    /// With the path to the key.
    case unknownKey(String)
    /// A value is missing or of another type.
    case invalid(String)
    /// The same value has another text.
    case notCanonical(byteOffset: Int)

    /// As a clause about "it", the text.
    package var words: String {
        switch self {
        case .tooLong(let bytes): "it has \(bytes) bytes, more than the limit of \(SignedText.bytes)"
        case .endsWithLineEnd:
            "a line end follows it, which an editor may have added; signatures are over the text without it"
        case .notPrintable(let offset): "it has something else than printable ASCII at byte \(offset)"
        case .notJSON(let words): "it is \(words)"
        case .otherFormat(let found, let known):
            "it has the format \(found), and this build reads format \(known); another version of Lockflight wrote it"
        case .unknownKey(let path): "it has a key that this build does not know: '\(path)'"
        case .invalid(let words): words
        case .notCanonical(let offset):
            "it is not written in the one canonical form: another text is expected from byte \(offset) on"
        }
    }
}

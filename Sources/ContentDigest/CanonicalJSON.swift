import UpgradeDomain

/// RFC 8785 canonical JSON: one spelling per value, so that equal values have equal digests.
public enum CanonicalJSON {
    /// The canonical bytes of a value, whatever the order in which it encodes its keys.
    ///
    /// - Parameter exactIntegers: keeps every digit of integers beyond 2^53, which the RFC rounds; for what is read back, and
    ///   not for digests.
    public static func encode(_ value: some Encodable, exactIntegers: Bool = false) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try write(JSONNode.of(value), to: &bytes, exactIntegers)
        return bytes
    }

    /// The deepest nesting that is read where nobody says less: what Foundation's decoder reads.
    public static let nestingDepth = 512

    /// Reads a value back from canonical (or any other) JSON.
    ///
    /// - Throws: `JSONError` for what is no JSON, or says something twice; `DecodingError` for what is no such value.
    public static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], nestingDepth: Int = CanonicalJSON.nestingDepth
    ) throws -> Value {
        try TapeDecoder.decode(type, from: JSONTape(parsing: bytes, nestingDepth: nestingDepth))
    }

    private static func write(_ node: JSONNode, to bytes: inout [UInt8], _ exactIntegers: Bool) throws {
        switch node.content {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value):
            bytes += (exactIntegers || value.magnitude < 1 << 53 ? String(value) : number(Double(value))).utf8
        case .large(let value): bytes += (exactIntegers ? String(value) : number(Double(value))).utf8
        case .number(let value):
            guard value.isFinite else { throw NotRepresentable(value: value) }
            bytes += number(value).utf8
        case .string(let value): write(value, to: &bytes)
        case .array(let elements):
            bytes.append(0x5b)
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(0x2c) }
                try write(element, to: &bytes, exactIntegers)
            }
            bytes.append(0x5d)
        case .object(let members):
            bytes.append(0x7b)
            let members = sorted(members)
            for (index, member) in members.enumerated() {
                // A name that was encoded again has its last value, and the sort is stable.
                let next = index + 1
                if next < members.count, members[next].name == member.name { continue }
                if bytes.last != 0x7b { bytes.append(0x2c) }
                write(member.name, to: &bytes)
                bytes.append(0x3a)
                try write(member.node, to: &bytes, exactIntegers)
            }
            bytes.append(0x7d)
        }
    }

    /// Section 3.2.3: by UTF-16 code units, which is the order of UTF-8 up to U+DFFF.
    private static func sorted(_ members: [(name: String, node: JSONNode)]) -> [(name: String, node: JSONNode)] {
        let isSame = members.allSatisfy { $0.name.utf8.allSatisfy { $0 < 0xee } }
        return members.sorted {
            isSame
                ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
                : $0.name.utf16.lexicographicallyPrecedes($1.name.utf16)
        }
    }

    /// Section 3.2.2.2: the two-character escapes where there is one, `\u00xx` for other controls, all else as is.
    private static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        var rest = text[...].utf8
        while let special = rest.firstIndex(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c }) {
            bytes += rest[..<special]
            bytes += escape(rest[special])
            rest = rest[rest.index(after: special)...]
        }
        bytes += rest
        bytes.append(0x22)
    }

    private static func escape(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case 0x22: [0x5c, 0x22]
        case 0x5c: [0x5c, 0x5c]
        case 0x08: [0x5c, 0x62]
        case 0x09: [0x5c, 0x74]
        case 0x0a: [0x5c, 0x6e]
        case 0x0c: [0x5c, 0x66]
        case 0x0d: [0x5c, 0x72]
        default: Array("\\u00".utf8) + [hexDigit(byte >> 4), hexDigit(byte & 15)]
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

    /// Section 3.2.2.3: as ECMAScript prints a number. Swift's shortest round-trip digits are the same digits; only
    /// the layout differs.
    static func number(_ value: Double) -> String {
        if value == 0 { return "0" }
        let sign = value < 0 ? "-" : ""
        let parts = value.magnitude.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let whole = String(mantissa[0])
        let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
        var digits = whole + fraction
        var point = whole.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        let leading = digits.prefix { $0 == "0" }.count
        digits.removeFirst(leading)
        point -= leading
        while digits.hasSuffix("0") { digits.removeLast() }
        let count = digits.count
        if count <= point, point <= 21 { return sign + digits + String(repeating: "0", count: point - count) }
        if point > 0, point <= 21 { return sign + digits.prefix(point) + "." + digits.dropFirst(point) }
        if point > -6, point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        let exponent = (point > 0 ? "e+" : "e-") + String(abs(point - 1))
        return sign + digits.prefix(1) + (count > 1 ? "." + digits.dropFirst() : "") + exponent
    }
}

/// A number that JSON can not hold.
public struct NotRepresentable: Error, Hashable, Sendable {
    public let value: Double
}

import FoundationEssentials
import UpgradeDomain

/// RFC 8785 canonical JSON: one spelling per value, so that equal values have equal digests.
public enum CanonicalJSON {
    /// The canonical bytes of a value, whatever the order in which it encodes its keys.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try write(JSONTreeEncoder.tree(of: value), to: &bytes)
        return bytes
    }

    /// Reads a value back from canonical (or any other) JSON.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    private static func write(_ value: JSONValue, to bytes: inout [UInt8]) throws {
        switch value {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += (abs(value) < 1 << 53 ? String(value) : number(Double(value))).utf8
        case .number(let value):
            guard value.isFinite else { throw NotRepresentable(value: value) }
            bytes += number(value).utf8
        case .string(let value): write(value, to: &bytes)
        case .array(let elements):
            bytes.append(0x5b)
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(0x2c) }
                try write(element, to: &bytes)
            }
            bytes.append(0x5d)
        case .object(let members):
            bytes.append(0x7b)
            // Section 3.2.3: sorted by UTF-16 code units.
            let keys = members.keys.sorted { $0.utf16.lexicographicallyPrecedes($1.utf16) }
            for (index, key) in keys.enumerated() {
                if index > 0 { bytes.append(0x2c) }
                write(key, to: &bytes)
                bytes.append(0x3a)
                try write(members[key] ?? .null, to: &bytes)
            }
            bytes.append(0x7d)
        }
    }

    /// Section 3.2.2.2: the two-character escapes where there is one, `\u00xx` for other controls, all else as is.
    private static func write(_ text: String, to bytes: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22: bytes += [0x5c, 0x22]
            case 0x5c: bytes += [0x5c, 0x5c]
            case 0x08: bytes += [0x5c, 0x62]
            case 0x09: bytes += [0x5c, 0x74]
            case 0x0a: bytes += [0x5c, 0x6e]
            case 0x0c: bytes += [0x5c, 0x66]
            case 0x0d: bytes += [0x5c, 0x72]
            case 0..<0x20: bytes += [0x5c, 0x75, 0x30, 0x30, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

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

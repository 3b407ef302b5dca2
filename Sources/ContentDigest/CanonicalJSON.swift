/// RFC 8785 canonical JSON: one spelling per value, so that equal values have equal digests.
package enum CanonicalJSON {
    /// 2^53 - 1. All JSON readers agree on integers up to this value, and down to its negative.
    package static let largestInteger: Int64 = 9_007_199_254_740_991

    /// How to treat an integer beyond ``largestInteger``, and a value out of the range of a narrower type.
    package enum BeyondRange: Sendable {
        /// The document is refused: for data from outside.
        case refused
        /// The nearest allowed value is used: for data stored before the range existed, so that it stays readable
        /// forever.
        case clamped
    }

    /// The maximum nesting depth unless the caller sets a lower one: the limit of Foundation's decoder.
    package static let nestingDepth = 512

    /// Section 3.2.2.2: a two-character escape where one exists, `\u00xx` for other control characters, everything else
    /// unchanged.
    static func write(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { write(text: $0, to: &bytes) }
    }

    static func write(text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(0x22)
        var start = 0
        for index in text.indices {
            let byte = text[index]
            guard byte < 0x20 || byte == 0x22 || byte == 0x5c else { continue }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
            bytes += escape(byte)
            start = index + 1
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
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
        let parts = value.magnitude.description.utf8.split(separator: 0x65)
        let mantissa = parts[0].split(separator: 0x2e, omittingEmptySubsequences: false).map { String(Substring($0)) }
        let whole = mantissa[0]
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        var digits = whole + fraction
        var point = whole.count + (parts.count > 1 ? Int(Substring(parts[1])) ?? 0 : 0)
        let leading = digits.utf8.prefix { $0 == 0x30 }.count
        digits.removeFirst(leading)
        point -= leading
        while digits.utf8.last == 0x30 { digits.removeLast() }
        let count = digits.count
        if count <= point, point <= 21 { return sign + digits + String(repeating: "0", count: point - count) }
        if point > 0, point <= 21 { return sign + digits.prefix(point) + "." + digits.dropFirst(point) }
        if point > -6, point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        let exponent = (point > 0 ? "e+" : "e-") + String(abs(point - 1))
        return sign + digits.prefix(1) + (count > 1 ? "." + digits.dropFirst() : "") + exponent
    }
}

/// A number that JSON cannot hold, or that JSON readers disagree about.
package struct NotRepresentable: Error, Hashable, Sendable, CustomStringConvertible {
    package let number: String

    package var description: String { "the number \(number) can not be written" }
}

import UpgradeDomain

/// The value of a tape entry, as Swift's own types.
extension JSONTape {
    func kind(_ index: Int) -> Kind { entries[index].kind }

    func next(_ index: Int) -> Int { Int(entries[index].next) }

    private func withBytes<Result>(of index: Int, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let entry = entries[index]
        return bytes.withUnsafeBufferPointer { source in
            body(UnsafeBufferPointer(rebasing: source[Int(entry.start)..<Int(entry.end)]))
        }
    }

    // MARK: Texts

    /// nil if it is not a string.
    func string(_ index: Int) -> String? {
        switch kind(index) {
        case .plainText, .text, .escapedText: withBytes(of: index) { JSONTape.string($0, kind(index)) }
        case .null, .no, .yes, .integer, .number, .array, .object: nil
        }
    }

    static func string(_ bytes: UnsafeBufferPointer<UInt8>, _ kind: Kind) -> String {
        guard kind == .escapedText else { return String(decoding: bytes, as: UTF8.self) }
        return String(decoding: unescaped(bytes), as: UTF8.self)
    }

    /// The parser has already checked that every escape is complete.
    private static func unescaped(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            guard bytes[position] == 0x5c else {
                text.append(bytes[position])
                position += 1
                continue
            }
            let letter = bytes[position + 1]
            position += 2
            switch letter {
            case 0x62: text.append(0x08)
            case 0x66: text.append(0x0c)
            case 0x6e: text.append(0x0a)
            case 0x72: text.append(0x0d)
            case 0x74: text.append(0x09)
            case 0x75:
                var scalar = codeUnit(bytes, at: position) ?? 0
                position += 4
                if (0xd800...0xdbff).contains(scalar) {
                    scalar = 0x10000 + (scalar - 0xd800) << 10 + (codeUnit(bytes, at: position + 2) ?? 0) - 0xdc00
                    position += 6
                }
                text += (Unicode.Scalar(scalar) ?? "\u{fffd}").utf8
            default: text.append(letter)
            }
        }
        return text
    }

    /// Four hexadecimal digits; nil if they are not.
    static func codeUnit(_ bytes: UnsafeBufferPointer<UInt8>, at position: Int) -> UInt32? {
        var unit: UInt32 = 0
        for byte in bytes[position..<(position + 4)] {
            switch byte {
            case 0x30...0x39: unit = unit << 4 + UInt32(byte - 0x30)
            case 0x41...0x46: unit = unit << 4 + UInt32(byte - 0x37)
            case 0x61...0x66: unit = unit << 4 + UInt32(byte - 0x57)
            default: return nil
            }
        }
        return unit
    }

    // MARK: Numbers

    /// nil if it is not a number, not an integer, or does not fit; `1.0` and `1e2` are integers.
    @inline(__always)
    func integer<Value: FixedWidthInteger>(_ index: Int, as type: Value.Type) -> Value? {
        guard let (magnitude, isNegative) = whole(index) else { return nil }
        guard isNegative else { return Value(exactly: magnitude) }
        guard magnitude <= Int64.min.magnitude else { return nil }
        return Value(exactly: Int64(truncatingIfNeeded: 0 &- magnitude))
    }

    private func whole(_ index: Int) -> (magnitude: UInt64, isNegative: Bool)? {
        switch kind(index) {
        case .integer, .number: break
        case .null, .no, .yes, .plainText, .text, .escapedText, .array, .object: return nil
        }
        return withBytes(of: index) { digits in
            JSONTape.magnitude(digits).map { ($0, digits[0] == 0x2d) }
        }
    }

    /// The exact value of a number without its sign; nil if it is not an integer or is larger than any `UInt64`.
    private static func magnitude(_ digits: UnsafeBufferPointer<UInt8>) -> UInt64? {
        var magnitude: UInt64 = 0
        // Zeros are counted and added only when another digit follows: an exponent can remove trailing zeros.
        var zeros = 0
        var fractionDigits = 0
        var isFraction = false
        var exponent = 0
        for (index, byte) in digits.enumerated() {
            switch byte {
            case 0x2e: isFraction = true
            case 0x30:
                if magnitude > 0 { zeros += 1 }
                if isFraction { fractionDigits += 1 }
            case 0x31...0x39:
                guard let grown = scaled(magnitude, by: zeros + 1) else { return nil }
                let (sum, overflows) = grown.addingReportingOverflow(UInt64(byte - 0x30))
                guard !overflows else { return nil }
                magnitude = sum
                zeros = 0
                if isFraction { fractionDigits += 1 }
            case 0x65, 0x45:
                let written = digits[(index + 1)...]
                // No text is long enough for an exponent beyond this to matter.
                exponent = Int(String(decoding: written, as: UTF8.self)) ?? (written.first == 0x2d ? -1 << 40 : 1 << 40)
                exponent = max(-1 << 40, min(1 << 40, exponent))
                guard magnitude > 0 else { return 0 }
                let shift = exponent - fractionDigits + zeros
                return shift < 0 ? nil : scaled(magnitude, by: shift)
            default: break
            }
        }
        guard magnitude > 0 else { return 0 }
        return zeros < fractionDigits ? nil : scaled(magnitude, by: zeros - fractionDigits)
    }

    private static func scaled(_ value: UInt64, by zeros: Int) -> UInt64? {
        guard value > 0 else { return 0 }
        // 10^20 is beyond any UInt64.
        guard zeros < 20 else { return nil }
        var scaled = value
        for _ in 0..<zeros {
            let (product, overflows) = scaled.multipliedReportingOverflow(by: 10)
            guard !overflows else { return nil }
            scaled = product
        }
        return scaled
    }

    /// nil if it is not a number, or cannot be represented: too large, or so small that it would become 0.
    func floating<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ index: Int, as type: Value.Type
    ) -> Value? {
        switch kind(index) {
        case .integer, .number: break
        case .null, .no, .yes, .plainText, .text, .escapedText, .array, .object: return nil
        }
        return withBytes(of: index) { digits in
            guard let value = Value(String(decoding: digits, as: UTF8.self)), value.isFinite else { return nil }
            let isZero = digits.prefix { $0 != 0x65 && $0 != 0x45 }.allSatisfy { !(0x31...0x39).contains($0) }
            return value == 0 && !isZero ? nil : value
        }
    }

    // MARK: Whole documents

    /// The value of an entry with everything inside it; nil if it contains a number that cannot be represented.
    func value(_ index: Int) -> JSONValue? {
        switch kind(index) {
        case .null: return .null
        case .no: return .bool(false)
        case .yes: return .bool(true)
        case .integer, .number:
            return integer(index, as: Int64.self).map(JSONValue.integer)
                ?? floating(index, as: Double.self).map(JSONValue.number)
        case .plainText, .text, .escapedText: return string(index).map(JSONValue.string)
        case .array:
            var elements: [JSONValue] = []
            var element = index + 1
            while element < next(index) {
                guard let value = value(element) else { return nil }
                elements.append(value)
                element = next(element)
            }
            return .array(elements)
        case .object:
            var members: [String: JSONValue] = [:]
            var name = index + 1
            while name < next(index) {
                guard let text = string(name), let value = value(name + 1) else { return nil }
                members[text] = value
                name = next(name + 1)
            }
            return .object(members)
        }
    }

    /// The value of an entry with everything inside it, with every number as it was written.
    func answer(_ index: Int) -> Answer {
        switch kind(index) {
        case .null: return .null
        case .no: return .bool(false)
        case .yes: return .bool(true)
        case .integer, .number: return .number(withBytes(of: index) { String(decoding: $0, as: UTF8.self) })
        case .plainText, .text, .escapedText: return .string(string(index) ?? "")
        case .array:
            var elements: [Answer] = []
            var element = index + 1
            while element < next(index) {
                elements.append(answer(element))
                element = next(element)
            }
            return .array(elements)
        case .object:
            var members: [String: Answer] = [:]
            var name = index + 1
            while name < next(index) {
                members[string(name) ?? ""] = answer(name + 1)
                name = next(name + 1)
            }
            return .object(members)
        }
    }

    // MARK: Members

    /// The value of an object's member. The search starts at `hint`, which is the position of one of its names; nil if
    /// there is no such member.
    func member(_ name: String, of object: Int, from hint: Int) -> Int? {
        var name = name
        return name.withUTF8 { member($0, of: object, from: hint) }
    }

    func member(_ wanted: UnsafeBufferPointer<UInt8>, of object: Int, from hint: Int) -> Int? {
        bytes.withUnsafeBufferPointer { source in
            entries.withUnsafeBufferPointer { entries in
                let end = Int(entries[object].next)
                var own = hint
                // One full circle: from the hint to the end, then from the first name to the hint.
                while own < end {
                    if JSONTape.isName(entries[own], wanted, in: source) { return own + 1 }
                    own = Int(entries[own + 1].next)
                }
                own = object + 1
                while own < hint {
                    if JSONTape.isName(entries[own], wanted, in: source) { return own + 1 }
                    own = Int(entries[own + 1].next)
                }
                return nil
            }
        }
    }

    private static func isName(
        _ entry: Entry, _ wanted: UnsafeBufferPointer<UInt8>, in source: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let own = UnsafeBufferPointer(rebasing: source[Int(entry.start)..<Int(entry.end)])
        guard entry.kind == .plainText else {
            return string(own, entry.kind) == String(decoding: wanted, as: UTF8.self)
        }
        guard own.count == wanted.count else { return false }
        for index in own.indices where own[index] != wanted[index] { return false }
        return true
    }

    /// The names and indices on the path to an entry, for errors.
    func path(to index: Int) -> [any CodingKey] {
        var path: [any CodingKey] = []
        var current = 0
        while current < index {
            let isObject = kind(current) == .object
            var number = 0
            var child = current + 1
            // A member is its name and its value.
            while next(isObject ? child + 1 : child) <= index {
                child = next(isObject ? child + 1 : child)
                number += 1
            }
            path.append(isObject ? TapeKey(string(child) ?? "") : TapeKey(number))
            current = isObject ? child + 1 : child
        }
        return path
    }
}

/// A name or an index on the path to a value.
struct TapeKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(_ index: Int) {
        stringValue = "Index \(index)"
        intValue = index
    }

    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(intValue) }
}

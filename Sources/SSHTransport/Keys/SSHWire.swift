import SafeText

/// Reads the data types of RFC 4251 section 5. Every method returns nil past the end and never traps.
struct SSHWireReader {
    private let bytes: [UInt8]
    private var position: Int

    init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= bytes.count - position else { return nil }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    mutating func uint32() -> UInt32? {
        take(4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    mutating func string() -> ArraySlice<UInt8>? {
        guard let count = uint32() else { return nil }
        return take(Int(count))
    }

    mutating func text() -> String? {
        guard let bytes = string(), bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A name-list: comma-separated algorithm names.
    mutating func names() -> [String]? {
        text().map { $0.fields(separatedBy: ",").map(String.init) }
    }
}

/// Writes the data types of RFC 4251 section 5.
struct SSHWireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func uint32(_ value: UInt32) {
        bytes.append(contentsOf: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) })
    }

    mutating func string(_ content: some Collection<UInt8>) {
        uint32(UInt32(content.count))
        bytes.append(contentsOf: content)
    }

    /// A positive mpint from big-endian bytes: no leading zeros, except one before a set top bit.
    mutating func mpint(_ magnitude: some Collection<UInt8>) {
        let significant = [UInt8](magnitude.drop(while: { $0 == 0 }))
        let needsSign = (significant.first ?? 0) & 0x80 != 0
        string(needsSign ? [0] + significant : significant)
    }
}

import SafeText

/// Reads the data types of RFC 4251 section 5. Every method returns nil past the end and never traps.
package struct SSHWireReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int

    package init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    package var isAtEnd: Bool { position == bytes.count }

    package mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= bytes.count - position else { return nil }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    package mutating func uint32() -> UInt32? {
        take(4).map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    package mutating func string() -> ArraySlice<UInt8>? {
        guard let count = uint32() else { return nil }
        return take(Int(count))
    }

    /// A string of printable ASCII.
    package mutating func text() -> String? {
        guard let bytes = string(), bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A name-list: comma-separated algorithm names.
    package mutating func names() -> [String]? {
        text().map { $0.fields(separatedBy: ",").map(String.init) }
    }

    /// The big-endian magnitude of an mpint that is positive, has no unnecessary byte and at most `bytes` bytes.
    ///
    /// A number has one such form. Other readers also take leading zeros, so that one key would have many blobs.
    package mutating func positive(bytes limit: Int) -> ArraySlice<UInt8>? {
        guard let number = string(), let first = number.first, first < 0x80 else { return nil }
        let magnitude = first == 0 ? number.dropFirst() : number
        guard let top = magnitude.first, first != 0 || top >= 0x80, magnitude.count <= limit else { return nil }
        return magnitude
    }
}

/// Writes the data types of RFC 4251 section 5.
package struct SSHWireWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func raw(_ content: some Sequence<UInt8>) { bytes.append(contentsOf: content) }

    package mutating func uint32(_ value: UInt32) {
        bytes.append(contentsOf: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) })
    }

    package mutating func string(_ content: some Collection<UInt8>) {
        uint32(UInt32(content.count))
        bytes.append(contentsOf: content)
    }

    /// A positive mpint from big-endian bytes: no leading zeros, except one before a set top bit.
    package mutating func mpint(_ magnitude: some Collection<UInt8>) {
        let significant = [UInt8](magnitude.drop(while: { $0 == 0 }))
        let needsSign = (significant.first ?? 0) & 0x80 != 0
        string(needsSign ? [0] + significant : significant)
    }
}

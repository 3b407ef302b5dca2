/// Masks secrets in the answers of servers and programs.
///
/// A secret is searched for in every spelling that common document formats use. Each of its bytes may be written
/// differently: as it is, after backslashes, as `\u0041` (RFC 8259, 7) and `\x41`, as `%41`, also `%2541` in a URL
/// within a URL, and `+` (RFC 3986, 2; HTML forms), as `&#65;` (HTML). The whole secret is also searched for in
/// hexadecimal and in base64, with any text before and after it.
struct Redactor {
    private let secrets: [Secret]
    /// The bytes that a spelling can begin with.
    private let first: [Bool]
    /// The longest spelling of any secret: this much more must be read than is kept, so that none is missed because it
    /// is cut.
    let longestBytes: Int

    private static let mask = Array("***".utf8)

    /// - Parameter secrets: the secrets. Those shorter than ``AgentLimits/redactedSecretBytes`` occur in ordinary words
    ///   and are not masked.
    init(_ secrets: [[UInt8]]) {
        let long = Set(secrets).filter { $0.count >= AgentLimits.redactedSecretBytes }
        // The longest first: finding a part of a secret must not prevent finding the whole.
        self.secrets = long.sorted { $0.count > $1.count }.map(Secret.init)
        var first = [Bool](repeating: false, count: 256)
        for byte in self.secrets.flatMap(\.firstBytes) { first[Int(byte)] = true }
        self.first = first
        longestBytes = (self.secrets.first?.bytes.count ?? 0) * Secret.largestGrowth
    }

    func redacted(_ text: String) -> String { String(decoding: redacted(Array(text.utf8)), as: UTF8.self) }

    /// - Parameters:
    ///   - isCut: more text follows that is not here, so the end, in which a secret may have begun, is left out.
    ///   - beginsCut: more text came before, so the first ``longestBytes`` are left out.
    func redacted(_ bytes: [UInt8], isCut: Bool = false, beginsCut: Bool = false) -> [UInt8] {
        guard !secrets.isEmpty else { return bytes }
        let limit = isCut ? max(0, bytes.count - longestBytes) : bytes.count
        let start = beginsCut ? longestBytes : 0
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        while position < limit {
            let candidate = bytes[position..<limit].firstIndex { first[Int($0)] } ?? limit
            if candidate > start { result += bytes[max(position, start)..<candidate] }
            guard candidate < limit else { break }
            position = end(in: bytes, at: candidate) ?? candidate
            if position > candidate {
                if position > start { result += Redactor.mask }
            } else {
                if position >= start { result.append(bytes[position]) }
                position += 1
            }
        }
        return result
    }

    private func end(in bytes: [UInt8], at position: Int) -> Int? {
        secrets.lazy.compactMap { $0.end(in: bytes, at: position) }.first
    }
}

/// One secret, and where it ends in a text if it begins at a given position.
private struct Secret {
    /// The maximum spelling length of one byte: backslashes before `u0041` in a document within documents.
    static let largestGrowth = 16

    let bytes: [UInt8]
    private let base64: [[UInt8]]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        base64 = Base64Forms.of(bytes).filter { $0.count >= AgentLimits.redactedSecretBytes }
    }

    var firstBytes: [UInt8] {
        let digits = [false, true].map { Hexadecimal.digit(bytes[0] >> 4, isUpper: $0) }
        return [bytes[0]] + Array("\\%&+".utf8) + digits + base64.map { $0[0] }
    }

    func end(in text: [UInt8], at start: Int) -> Int? {
        spelledEnd(in: text, at: start) ?? hexadecimalEnd(in: text, at: start)
            ?? base64.lazy.compactMap { wrappedEnd(of: $0, in: text, at: start) }.first
    }

    private func spelledEnd(in text: [UInt8], at start: Int) -> Int? {
        // If a byte can be read in two ways, both are followed.
        var ends: Set<Int> = [start]
        for byte in bytes {
            ends = ends.reduce(into: []) { $0.formUnion(Spelling.ends(of: byte, in: text, at: $1)) }
            if ends.isEmpty { return nil }
        }
        return ends.max()
    }

    /// How much white space may come at the start of a new line of a hex dump.
    private static let mostBlankBytes = 12

    /// Pairs of digits, possibly with a colon, spaces or line ends between them.
    private func hexadecimalEnd(in text: [UInt8], at start: Int) -> Int? {
        var position = start
        for (index, byte) in bytes.enumerated() {
            if index > 0 {
                let between = text[position...].prefix(Secret.mostBlankBytes).prefix { ": \t\r\n".utf8.contains($0) }
                position += between.count
            }
            guard Hexadecimal.value(text, at: position, digits: 2) == UInt32(byte) else { return nil }
            position += 2
        }
        return position
    }

    /// Some programs break base64 into lines, and JSON writes line breaks as escapes. Its `+` and `/` are spelled
    /// differently in a URL.
    private func wrappedEnd(of letters: [UInt8], in text: [UInt8], at start: Int) -> Int? {
        var position = start
        for (index, letter) in letters.enumerated() {
            if index > 0 { position = Secret.skipLineEnd(text, position) }
            guard position < text.count else { return nil }
            if text[position] == letter {
                position += 1
            } else if let end = Spelling.ends(of: letter, in: text, at: position).max() {
                position = end
            } else {
                return nil
            }
        }
        return position
    }

    private static func skipLineEnd(_ text: [UInt8], _ start: Int) -> Int {
        var position = start
        while position < text.count {
            if text[position] == 0x0a || text[position] == 0x0d {
                position += 1
                position += text[position...].prefix(Secret.mostBlankBytes).prefix { $0 == 0x20 || $0 == 0x09 }.count
            } else if text[position] == UInt8(ascii: "\\"), position + 1 < text.count,
                [UInt8(ascii: "n"), UInt8(ascii: "r")].contains(text[position + 1])
            {
                position += 2
            } else {
                break
            }
        }
        return position
    }
}

/// The ways in which one byte of printable ASCII can be written.
private enum Spelling {
    private static let mostBackslashes = 8
    private static let mostNested = 4

    /// The possible end positions of a byte that begins at a given position.
    static func ends(of byte: UInt8, in text: [UInt8], at start: Int) -> Set<Int> {
        guard start < text.count else { return [] }
        var ends: Set<Int> = []
        if text[start] == byte || (byte == 0x20 && text[start] == UInt8(ascii: "+")) { ends.insert(start + 1) }
        switch text[start] {
        case UInt8(ascii: "\\"): ends.formUnion(escapeEnds(of: byte, in: text, at: start))
        case UInt8(ascii: "%"): ends.formUnion(percentEnds(of: byte, in: text, at: start))
        case UInt8(ascii: "'") where byte == UInt8(ascii: "'"):
            // As a shell writes it within quotation marks.
            for spelling in ["'\\''", "'\"'\"'"] where text[start...].starts(with: spelling.utf8) {
                ends.insert(start + spelling.utf8.count)
            }
        case UInt8(ascii: "&"): if let end = entityEnd(of: byte, in: text, at: start) { ends.insert(end) }
        default: break
        }
        return ends
    }

    /// `%41`, and `%2541` for a URL within a URL.
    private static func percentEnds(of byte: UInt8, in text: [UInt8], at start: Int) -> Set<Int> {
        var ends: Set<Int> = []
        var position = start + 1
        for _ in 0..<mostNested {
            let value = Hexadecimal.value(text, at: position, digits: 2)
            if value == UInt32(byte) { ends.insert(position + 2) }
            guard value == UInt32(UInt8(ascii: "%")) else { break }
            position += 2
        }
        return ends
    }

    /// `\"`, `\/`, `\u0041`, `\x41`, with more backslashes for a document within a document.
    private static func escapeEnds(of byte: UInt8, in text: [UInt8], at start: Int) -> Set<Int> {
        var ends: Set<Int> = []
        var position = start
        while position < text.count, position - start < mostBackslashes, text[position] == UInt8(ascii: "\\") {
            position += 1
            if byte == UInt8(ascii: "\\") { ends.insert(position) }
        }
        guard position < text.count else { return ends }
        if text[position] == byte { ends.insert(position + 1) }
        if text[position] == UInt8(ascii: "u"), Hexadecimal.value(text, at: position + 1, digits: 4) == UInt32(byte) {
            ends.insert(position + 5)
        }
        if text[position] == UInt8(ascii: "x"), Hexadecimal.value(text, at: position + 1, digits: 2) == UInt32(byte) {
            ends.insert(position + 3)
        }
        return ends
    }

    /// `&#65;`, `&#x41;`, and the five names that XML defines.
    private static func entityEnd(of byte: UInt8, in text: [UInt8], at start: Int) -> Int? {
        guard let end = text[start...].prefix(10).firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let name = String(decoding: text[(start + 1)..<end], as: UTF8.self)
        let value: UInt32? =
            switch name {
            case "amp": 0x26
            case "lt": 0x3c
            case "gt": 0x3e
            case "quot": 0x22
            case "apos": 0x27
            default:
                name.utf8.starts(with: "#x".utf8) || name.utf8.starts(with: "#X".utf8)
                    ? UInt32(name.dropFirst(2), radix: 16)
                    : name.utf8.first == UInt8(ascii: "#") ? UInt32(name.dropFirst()) : nil
            }
        return value == UInt32(byte) ? end + 1 : nil
    }
}

private enum Hexadecimal {
    static func digit(_ value: UInt8, isUpper: Bool) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: isUpper ? "A" : "a") + value - 10
    }

    /// nil if there are fewer digits.
    static func value(_ text: [UInt8], at start: Int, digits: Int) -> UInt32? {
        guard start + digits <= text.count else { return nil }
        var value: UInt32 = 0
        for byte in text[start..<(start + digits)] {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt32(byte - 0x37)
            case 0x61...0x66: value = value << 4 | UInt32(byte - 0x57)
            default: return nil
            }
        }
        return value
    }
}

/// RFC 4648, 4 and 5.
private enum Base64Forms {
    /// The part of a secret's base64 that does not depend on the text before and after it, for each position in a group
    /// of three bytes where the secret can begin.
    static func of(_ secret: [UInt8]) -> [[UInt8]] {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        return [Array("+/".utf8), Array("-_".utf8)].flatMap { last in
            (0..<3).map { lead in
                // Six bits per letter. Letters that share bits with a neighbouring byte are left out.
                let bits = lead * 8..<(lead + secret.count) * 8
                return ((bits.lowerBound + 5) / 6..<bits.upperBound / 6).map { place in
                    let value = (0..<6).reduce(0) { value, bit in
                        let position = place * 6 + bit - lead * 8
                        return value << 1 | Int(secret[position / 8] >> UInt8(7 - position % 8) & 1)
                    }
                    return (letters + last)[value]
                }
            }
        }
    }
}

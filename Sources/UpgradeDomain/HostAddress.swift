/// The address of a host: an IPv4 or IPv6 address, or a host name (RFC 1123, with `_` also allowed because many
/// ssh_config files use it). Nothing else is accepted, so an address can never act as an option, a port or a command in
/// the program that receives it.
///
/// Two spellings of the same address are equal. Recorded text keeps its spelling; only comparisons use the value.
package enum HostAddress: Hashable, Sendable {
    case v4(UInt32)
    /// The zone names a network interface of the coordinator's machine (RFC 4007, 11).
    case v6(high: UInt64, low: UInt64, zone: String?)
    /// In lower case, without a trailing dot.
    case name(String)

    /// nil for text that is not an address: with a port, in brackets, with a user, or with other spellings of numbers
    /// such as `127.1`.
    package init?(_ text: String) {
        let bytes = text.utf8[...]
        if bytes.contains(0x3a) {
            guard let address = HostAddress.v6(bytes) else { return nil }
            self = address
        } else if let number = HostAddress.v4(bytes) {
            self = .v4(number)
        } else if let name = HostAddress.name(bytes) {
            self = .name(name)
        } else {
            return nil
        }
    }

    /// Whether it is an address, not a name.
    package var isNumeric: Bool {
        switch self {
        case .v4, .v6: true
        case .name: false
        }
    }

    // MARK: Numbers

    /// Four decimal numbers without leading zeros (inet_pton(3)).
    private static func v4(_ text: Substring.UTF8View) -> UInt32? {
        let parts = text.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy(isDigit), part.count == 1 || part.first != 0x30,
                let number = UInt8(String(Substring(part)))
            else { return nil }
            address = address << 8 | UInt32(number)
        }
        return address
    }

    private static func v6(_ text: Substring.UTF8View) -> HostAddress? {
        let parts = text.split(separator: 0x25, maxSplits: 1, omittingEmptySubsequences: false)
        var zone = parts.count > 1 ? String(Substring(parts[1])) : nil
        if let zone {
            let isName = zone.utf8.allSatisfy { isDigit($0) || isLetter($0) || [0x2d, 0x2e, 0x5f].contains($0) }
            guard (1...15).contains(zone.utf8.count), isName else { return nil }
        }
        // Leading zeros do not change an interface number.
        if let number = zone.flatMap({ UInt64($0) }) { zone = "\(number)" }
        guard let groups = groups(ofAddress: parts[0]) else { return nil }
        let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        // An IPv4-mapped IPv6 address, as IPv6 sockets report it.
        if zone == nil, high == 0, low >> 32 == 0xffff { return .v4(UInt32(truncatingIfNeeded: low)) }
        return .v6(high: high, low: low, zone: zone)
    }

    /// Eight groups, of which `::` leaves out one or more (RFC 4291, 2.2).
    private static func groups(ofAddress text: Substring.UTF8View) -> [UInt16]? {
        var halves: [Substring.UTF8View] = [text]
        var position = text.startIndex
        while position < text.endIndex {
            let next = text.index(after: position)
            if next < text.endIndex, text[position] == 0x3a, text[next] == 0x3a {
                halves = [text[..<position], text[text.index(after: next)...]]
                break
            }
            position = next
        }
        guard let head = groups(halves[0], isLast: halves.count == 1) else { return nil }
        guard halves.count == 2 else { return head.count == 8 ? head : nil }
        guard let tail = groups(halves[1], isLast: true), head.count + tail.count <= 7 else { return nil }
        return head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func groups(_ text: Substring.UTF8View, isLast: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: 0x3a, omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if isLast, index == parts.count - 1, part.contains(0x2e) {
                guard let number = v4(part) else { return nil }
                groups += [UInt16(number >> 16), UInt16(truncatingIfNeeded: number)]
            } else {
                guard (1...4).contains(part.count), part.allSatisfy(isHexadecimal),
                    let number = UInt16(String(Substring(part)), radix: 16)
                else { return nil }
                groups.append(number)
            }
        }
        return groups
    }

    // MARK: Names

    private static func name(_ text: Substring.UTF8View) -> String? {
        let text = text.last == 0x2e ? text.dropLast() : text
        guard (1...253).contains(text.count) else { return nil }
        let labels = text.split(separator: 0x2e, omittingEmptySubsequences: false)
        let areLabels = labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != 0x2d && label.last != 0x2d
                && label.allSatisfy { isDigit($0) || isLetter($0) || $0 == 0x2d || $0 == 0x5f }
        }
        guard areLabels, let last = labels.last, !isNumber(last) else { return nil }
        return String(Substring(text)).lowercasedASCII
    }

    /// Some resolvers would read it as a number at the end of a name (inet_aton(3)): `127.1`, `0x7f000001`.
    private static func isNumber(_ label: Substring.UTF8View) -> Bool {
        if label.allSatisfy(isDigit) { return true }
        return label.count > 1 && label.first == 0x30 && [0x78, 0x58].contains(label.dropFirst().first)
            && label.dropFirst(2).allSatisfy(isHexadecimal)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x66).contains(byte | 0x20)
    }
}

extension HostAddress {
    /// Whether a text is at least not an option or a command to a program or a shell. Used for texts without a stricter
    /// grammar: an alias of ssh_config, an account, or what was stored before there was a grammar.
    package static func isHarmless(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != 0x2d else { return false }
        let steering = Set("\"'`$;&|<>(){}*?!#~/".utf8)
        return text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !steering.contains($0) }
    }

    /// Whether a text is an address in brackets, or one with a port or a user; those belong in separate fields.
    package static func isOvercomplete(_ text: String) -> Bool {
        if text.utf8.first == 0x5b || text.utf8.contains(0x40) { return true }
        guard let colon = text.utf8.lastIndex(of: 0x3a), HostAddress(String(text[..<colon])) != nil else {
            return false
        }
        return text.utf8[colon...].dropFirst().allSatisfy { (0x30...0x39).contains($0) }
    }

    /// How to correct a text that is not an address.
    package static func remedy(for text: String) -> String {
        let isBracketed = text.utf8.first == 0x5b
        let inside = String(Substring(text.utf8.drop { $0 == 0x5b }.prefix { $0 != 0x5d }))
        if isBracketed, HostAddress(inside) != nil { return "write it without brackets, and the port as 'port:'" }
        if let colon = text.utf8.lastIndex(of: 0x3a), HostAddress(String(text[..<colon])) != nil {
            return "write the port apart from it: 'address: \(text[..<colon])' and 'port:'"
        }
        if text.utf8.contains(0x40) { return "write the user apart from it, as 'user:'" }
        return "write an IPv4 or IPv6 address, a DNS name, or a name of ssh_config, alone"
    }
}

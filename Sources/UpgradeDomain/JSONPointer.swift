/// A JSON document whose values can be looked up by JSON Pointer (RFC 6901).
package protocol PointedJSON {
    /// The member or element that one token of a pointer names.
    func child(_ token: String) -> Self?
}

extension PointedJSON {
    /// The value that a JSON Pointer names; nil if there is none. `""` is the whole document.
    package func value(at pointer: String) -> Self? {
        guard !pointer.isEmpty else { return self }
        guard let tokens = JSONPointer.tokens(of: pointer) else { return nil }
        var current = self
        for token in tokens {
            guard let next = current.child(token) else { return nil }
            current = next
        }
        return current
    }

    /// The field with this bare name, or the value that a pointer (text that begins with `/`) names.
    package func member(_ path: String) -> Self? { path.utf8.first == 0x2f ? value(at: path) : child(path) }
}

enum JSONPointer {
    /// A member's name, escaped as a token of a pointer.
    static func escape(_ name: String) -> String {
        var token = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": token.append(contentsOf: "~0".unicodeScalars)
            case "/": token.append(contentsOf: "~1".unicodeScalars)
            default: token.append(scalar)
            }
        }
        return String(token)
    }

    /// nil for a text that is not empty and does not begin with `/`.
    static func tokens(of pointer: String) -> [String]? {
        let parts = pointer.utf8.split(separator: 0x2f, omittingEmptySubsequences: false)
        guard parts.first?.isEmpty == true else { return nil }
        return parts.dropFirst().map(unescape)
    }

    /// The index of an element, from its token: digits without a leading zero.
    static func index(_ token: String) -> Int? {
        guard let index = Int(token), index >= 0, String(index) == token else { return nil }
        return index
    }

    private static func unescape(_ token: Substring.UTF8View) -> String {
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in token {
            if isEscaped {
                bytes.append(byte == 0x31 ? 0x2f : byte == 0x30 ? 0x7e : byte)
                isEscaped = false
            } else if byte == 0x7e {
                isEscaped = true
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

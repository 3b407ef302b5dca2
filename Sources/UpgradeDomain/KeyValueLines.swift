import SafeText

/// Text with one value per line, as `name: value` or `name=value`: what `redis-cli info`, `systemctl show` and nginx's
/// `stub_status` print.
///
/// The name ends at the first `:` or `=`. Spaces around name and value are ignored. Empty lines, lines that begin with `#`,
/// and lines without a name or a separator hold no value. So a value that is missing is absent, and absent is unknown.
package enum KeyValueLines {
    /// An object of name -> number or string, or why there is none.
    package static func document(in bytes: [UInt8]) -> Result<Answer, UnknownReason> {
        var members: [String: Answer] = [:]
        for (index, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            guard let (name, value) = member(in: trimmed(line)) else { continue }
            guard members.updateValue(value, forKey: name) == nil else {
                return unparsable("line \(index + 1) of the answer has the same name as an earlier line")
            }
        }
        guard !members.isEmpty else { return unparsable("no line of the answer is 'name: value' or 'name=value'") }
        return .success(.object(members))
    }

    private static func member(in line: ArraySlice<UInt8>) -> (name: String, value: Answer)? {
        guard line.first != 0x23, let end = line.firstIndex(where: { $0 == 0x3a || $0 == 0x3d }) else { return nil }
        let name = trimmed(line[..<end])
        guard !name.isEmpty else { return nil }
        return (String(decoding: name, as: UTF8.self), value(of: trimmed(line[end...].dropFirst())))
    }

    private static func value(of bytes: ArraySlice<UInt8>) -> Answer {
        let text = String(decoding: bytes, as: UTF8.self)
        return isNumber(bytes) ? .number(text) : .string(text)
    }

    /// A decimal number: digits, perhaps a sign in front, perhaps a fraction.
    private static func isNumber(_ bytes: ArraySlice<UInt8>) -> Bool {
        let digits = bytes.first == 0x2d ? bytes.dropFirst() : bytes
        let parts = digits.split(separator: 0x2e, maxSplits: 1, omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { 0x30...0x39 ~= $0 } }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = bytes.drop { $0 <= 0x20 }
        return start.dropLast(start.reversed().prefix { $0 <= 0x20 }.count)
    }

    private static func unparsable(_ detail: String) -> Result<Answer, UnknownReason> {
        .failure(UnknownReason(.unparsable, detail))
    }
}

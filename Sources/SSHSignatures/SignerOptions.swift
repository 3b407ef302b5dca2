import SafeText

/// The options between the names and the key of one line: `NAME="VALUE"`, with commas between them.
struct SignerOptions {
    private(set) var namespaces: [String]?
    private(set) var validAfter: AllowedSigners.Time?
    private(set) var validBefore: AllowedSigners.Time?

    /// No options.
    init() {}

    /// Reads the options at the start of a line and leaves what follows the white space behind them.
    init(takenFrom line: inout Substring) throws(AllowedSigners.Reason) {
        var isLast = false
        while !isLast {
            let word = line.prefix(upToAnyOf: "=, \t\"")
            let name = String(decoding: word.utf8.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }, as: UTF8.self)
            line = Substring(line.utf8.dropFirst(word.utf8.count))
            switch name {
            case "cert-authority": throw .certAuthority
            case "namespaces":
                guard namespaces == nil else { throw .repeatedOption(name) }
                namespaces = try Self.namespaces(try Self.value(of: name, in: &line))
            case "valid-after":
                guard validAfter == nil else { throw .repeatedOption(name) }
                validAfter = try AllowedSigners.Time(try Self.value(of: name, in: &line))
            case "valid-before":
                guard validBefore == nil else { throw .repeatedOption(name) }
                validBefore = try AllowedSigners.Time(try Self.value(of: name, in: &line))
            default: throw .unknownOption(String(word))
            }
            isLast = line.utf8.first != UInt8(ascii: ",")
            if isLast {
                guard line.isEmpty || line.begins(with: " ") || line.begins(with: "\t") else {
                    throw .malformedOption(name)
                }
            } else {
                line = Substring(line.utf8.dropFirst())
            }
        }
        line = line.trimmed
        if let validAfter, let validBefore, validBefore.secondsReadAsUTC <= validAfter.secondsReadAsUTC {
            throw .neverValid
        }
    }

    /// The text between the quotation marks behind `=`; `\"` is a quotation mark in it.
    private static func value(of name: String, in line: inout Substring) throws(AllowedSigners.Reason) -> String {
        guard var rest = line.rest(after: "=\"")?.utf8 else { throw .malformedOption(name) }
        var value: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") {
                line = Substring(rest)
                return String(decoding: value, as: UTF8.self)
            }
            let isEscape = byte == UInt8(ascii: "\\") && rest.first == UInt8(ascii: "\"")
            value.append(isEscape ? rest.removeFirst() : byte)
        }
        throw .malformedOption(name)
    }

    private static func namespaces(_ value: String) throws(AllowedSigners.Reason) -> [String] {
        let names = value.pieces(separatedBy: ",").map(String.init)
        if let wrong = names.first(where: { !SSHSignature.isNamespace($0) || $0.holds(anyOf: "*?!") }) {
            throw .patternAsNamespace(wrong)
        }
        return names
    }
}

extension AllowedSigners.Time {
    /// Reads OpenSSH's forms of a time (`parse_absolute_time`). Days that do not exist are refused; OpenSSH takes
    /// February 30 as a day in March.
    init(_ text: String) throws(AllowedSigners.Reason) {
        let lowered = text.utf8.map { $0 | 0x20 }
        let zone = lowered.last == UInt8(ascii: "z") ? 1 : lowered.suffix(3).elementsEqual("utc".utf8) ? 3 : 0
        let digits = text.utf8.dropLast(zone).map { Int($0) - 0x30 }
        guard [8, 12, 14].contains(digits.count), digits.allSatisfy({ (0...9).contains($0) }) else {
            throw .badTime(text)
        }
        let number: (Range<Int>) -> Int = {
            $0.reduce(0) { value, index in
                value * 10 + (index < digits.count ? digits[index] : 0)
            }
        }
        let (year, month, day) = (number(0..<4), number(4..<6), number(6..<8))
        let (hour, minute, second) = (number(8..<10), number(10..<12), number(12..<14))
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard year >= 1970, (1...12).contains(month), (1...lengths[month - 1]).contains(day), hour < 24, minute < 60,
            second < 60
        else { throw .badTime(text) }
        // Leap days up to the end of a year, by the Gregorian rule.
        let leapDays: (Int) -> Int = { $0 / 4 - $0 / 100 + $0 / 400 }
        let days =
            (year - 1970) * 365 + leapDays(year - 1) - leapDays(1969) + lengths[..<(month - 1)].reduce(0, +) + day - 1
        guard days * 86_400 + hour * 3_600 + minute * 60 + second > 0 else { throw .badTime(text) }
        secondsReadAsUTC = Int64(days * 86_400 + hour * 3_600 + minute * 60 + second)
        isUTC = zone > 0
    }
}

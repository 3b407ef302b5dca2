/// A point in wall-clock time: milliseconds since 1970, UTC, up to the end of the year 9999. Only for display, evidence
/// age and approval validity.
///
/// The range is what RFC 3339 can express. It is small enough that the difference of two times always fits.
package struct WallTime: Hashable, Comparable, Sendable, Codable {
    package static let range: ClosedRange<Int64> = 0...253_402_300_799_999

    package let milliseconds: Int64

    /// nil outside of ``range``.
    package init?(milliseconds: Int64) {
        guard WallTime.range.contains(milliseconds) else { return nil }
        self.milliseconds = milliseconds
    }

    /// The nearest time in the range, for a clock that is wrong.
    package init(clamping milliseconds: Int64) {
        self.milliseconds = min(max(milliseconds, WallTime.range.lowerBound), WallTime.range.upperBound)
    }

    /// Times outside the range are refused. They are clamped if the decoder reads data from before the range existed.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let number = try container.decode(Int64.self)
        if let time = WallTime(milliseconds: number) {
            self = time
        } else if decoder.userInfo.clampsNumbers {
            self.init(clamping: number)
        } else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a time beyond the years 1970 to 9999: \(number)")
        }
    }

    /// Clamped to the range.
    package func advanced(bySeconds seconds: Int) -> WallTime {
        let (span, isTooLong) = Int64(seconds).multipliedReportingOverflow(by: 1_000)
        return advanced(byMilliseconds: isTooLong ? (seconds < 0 ? .min : .max) : span)
    }

    /// Clamped to the range.
    package func advanced(byMilliseconds span: Int64) -> WallTime {
        let (sum, isBeyond) = milliseconds.addingReportingOverflow(span)
        return WallTime(clamping: isBeyond ? .max : sum)
    }

    /// Negative if the other time is later.
    package func milliseconds(since other: WallTime) -> Int64 { milliseconds - other.milliseconds }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }

    package static func < (left: WallTime, right: WallTime) -> Bool { left.milliseconds < right.milliseconds }

    /// Reads an RFC 3339 time such as `2026-11-23T12:00:00.5Z` or with an offset; nil for anything else.
    package init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            return bytes[range].reduce(Int64?.some(0)) { sum, byte in
                guard let sum, (0x30...0x39).contains(byte) else { return nil }
                return sum * 10 + Int64(byte - 0x30)
            }
        }
        guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[13] == 0x3a, bytes[16] == 0x3a,
            [0x54, 0x74, 0x20].contains(bytes[10]),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...WallTime.daysOf(month: month, year: year)).contains(day), hour < 24,
            minute < 60, second <= 60
        else { return nil }
        var position = 19
        var fraction: Int64 = 0
        if bytes[position] == 0x2e {
            position += 1
            var scale: Int64 = 100
            while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
                fraction += Int64(bytes[position] - 0x30) * scale
                scale /= 10
                position += 1
            }
        }
        guard position < bytes.count else { return nil }
        var offsetMinutes: Int64 = 0
        switch bytes[position] {
        case 0x5a, 0x7a:
            guard position + 1 == bytes.count else { return nil }
        case 0x2b, 0x2d:
            guard bytes.count == position + 6, bytes[position + 3] == 0x3a,
                let hours = number(position + 1..<position + 3), let minutes = number(position + 4..<position + 6),
                hours < 24, minutes < 60
            else { return nil }
            offsetMinutes = (hours * 60 + minutes) * (bytes[position] == 0x2b ? 1 : -1)
        default:
            return nil
        }
        let days = WallTime.daysSince1970(year: year, month: month, day: day)
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offsetMinutes * 60
        self.init(milliseconds: seconds * 1_000 + fraction)
    }

    private static func daysOf(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Proleptic Gregorian day number; Howard Hinnant's `days_from_civil`.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// `2026-11-23T12:00:00.125Z`.
    package var rfc3339Milliseconds: String {
        let fraction = ((milliseconds % 1_000) + 1_000) % 1_000
        let digits = String(1_000 + fraction).dropFirst()
        return "\(rfc3339.dropLast()).\(digits)Z"
    }

    /// `2026-11-23T12:00:00Z`, whole seconds.
    package var rfc3339: String {
        let totalSeconds = milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000
        let days = totalSeconds >= 0 ? totalSeconds / 86_400 : (totalSeconds - 86_399) / 86_400
        let second = totalSeconds - days * 86_400
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(year)-\(two(month))-\(two(day))T\(two(second / 3_600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
    }
}

extension [CodingUserInfoKey: Any] {
    /// Whether a decoder reads data that was stored before its numbers had ranges. If so, the nearest allowed value is
    /// used.
    package var clampsNumbers: Bool { CodingUserInfoKey.clampsNumbers.map { self[$0] != nil } ?? false }
}

extension CodingUserInfoKey {
    package static let clampsNumbers = CodingUserInfoKey(rawValue: "clampsNumbers")
}

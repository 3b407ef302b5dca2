import ContentDigest
import Foundation
import Testing
import UpgradeDomain

/// Tests which JSON is read and which is refused.
struct JSONReaderTests {
    private func value(_ text: String) throws -> JSONValue {
        try CanonicalJSON.decode(JSONValue.self, from: Array(text.utf8))
    }

    private func code(_ bytes: [UInt8], nestingDepth: Int = CanonicalJSON.nestingDepth) -> JSONError.Code? {
        do {
            _ = try CanonicalJSON.decode(JSONValue.self, from: bytes, nestingDepth: nestingDepth)
            return nil
        } catch {
            return (error as? JSONError)?.code
        }
    }

    @Test func everyKindOfValueIsRead() throws {
        #expect(
            try value(" {\"a\" : [1, -2.5e1,\t\"x\"] ,\r\n\"b\":{}, \"c\":[], \"d\":null,\"e\":true,\"f\":false} ")
                == .object([
                    "a": .array([.integer(1), .integer(-25), .string("x")]), "b": .object([:]), "c": .array([]),
                    "d": .null, "e": .bool(true), "f": .bool(false),
                ]))
        let escapes = #""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00 é€😀""#
        #expect(try value(escapes) == .string("\"\\/\u{8}\u{c}\n\r\tAé€😀 é€😀"))
        #expect(try value(#"{"\u0061":1}"#) == .object(["a": .integer(1)]))
    }

    @Test(
        arguments: [
            ("", .truncated), (" ", .truncated), ("[", .truncated), ("[1", .truncated), ("[1,", .truncated),
            ("{\"a\"", .truncated), ("{\"a\":", .truncated), ("{\"a\":1", .truncated), ("\"a", .truncated),
            ("\"\\", .truncated), ("\"\\u00", .truncated), ("tru", .truncated),
            ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte), ("{,}", .unexpectedByte),
            ("{\"a\":1,}", .unexpectedByte), ("{\"a\" 1}", .unexpectedByte), ("{1:1}", .unexpectedByte),
            ("[1 2]", .unexpectedByte), ("trux", .unexpectedByte), ("'a'", .unexpectedByte), ("+1", .unexpectedByte),
            (".5", .unexpectedByte), ("NaN", .unexpectedByte), ("\u{feff}1", .unexpectedByte),
            ("[1]]", .trailingBytes), ("1 2", .trailingBytes), ("{}x", .trailingBytes), ("1\u{0}", .trailingBytes),
            ("01", .invalidNumber), ("-", .invalidNumber), ("1.", .invalidNumber), ("1e", .invalidNumber),
            ("1e+", .invalidNumber), ("-01", .invalidNumber), ("1.e5", .invalidNumber),
            ("\"\\x\"", .invalidEscape), ("\"\\u12g4\"", .invalidEscape), ("\"a\nb\"", .invalidText),
            ("\"\u{0}\"", .invalidText), (#""\ud800""#, .loneSurrogate), (#""\udc00""#, .loneSurrogate),
            (#""\ud800\u0041""#, .loneSurrogate), (#""\ud800\ud800""#, .loneSurrogate), (#""\ud800x""#, .loneSurrogate),
            (#"{"a":1,"a":1}"#, .repeatedName), (#"{"b":1,"a":2,"b":3}"#, .repeatedName),
            (#"{"a":1,"\u0061":2}"#, .repeatedName), (#"[{"x":{"a":1,"b":1,"a":1}}]"#, .repeatedName),
            // Two encodings of one name that Swift considers equal.
            ("{\"\u{e9}\":1,\"e\u{301}\":2}", .repeatedName),
        ] as [(String, JSONError.Code)])
    func invalidJSONIsRefused(_ text: String, _ expected: JSONError.Code) {
        #expect(code(Array(text.utf8)) == expected, "\(text)")
    }

    @Test(
        arguments: [
            [0x80], [0xc3], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xff],
            [0xc3, 0x28], [0xf0, 0x9f, 0x98],
        ] as [[UInt8]])
    func invalidUTF8IsRefused(_ bytes: [UInt8]) {
        #expect(code([0x22] + bytes + [0x22]) == .invalidText)
        #expect(code(Array("{\"".utf8) + bytes + Array("\":1}".utf8)) == .invalidText)
    }

    @Test func everyTruncatedDocumentIsRefused() {
        let whole = Array(#"{"a":[1,2.5,"x\u00e9\ud83d\ude00\n",true,false,null],"b":{"c":"é"}}"#.utf8)
        #expect(code(whole) == nil)
        for count in whole.indices { #expect(code(Array(whole.prefix(count))) != nil, "the first \(count) bytes") }
    }

    @Test func aDocumentMayBeOnlyAsDeepAsItsReaderAllows() {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(code(nested(3), nestingDepth: 3) == nil)
        #expect(code(nested(4), nestingDepth: 3) == .tooDeep)
        #expect(code(Array(#"{"a":{"b":{"c":1}}}"#.utf8), nestingDepth: 2) == .tooDeep)
        #expect(code(nested(512)) == nil)
        #expect(code(nested(513)) == .tooDeep)
        #expect(code([UInt8](repeating: 0x5b, count: 1_000_000)) == .tooDeep)
    }

    @Test func aNumberIsReadOnlyIfItsTypeHoldsItExactly() throws {
        func read<Number: Decodable>(_ type: Number.Type, _ text: String) -> Number? {
            try? CanonicalJSON.decode(type, from: Array(text.utf8))
        }
        #expect(read(Int64.self, "9007199254740991") == CanonicalJSON.largestInteger)
        #expect(read(Int64.self, "-9007199254740991") == -CanonicalJSON.largestInteger)
        #expect(read(UInt64.self, "9007199254740991") == 9_007_199_254_740_991)
        for beyond in ["9007199254740992", "-9007199254740992", "9223372036854775807", "-9223372036854775808", "1e18"] {
            #expect(read(Int64.self, beyond) == nil)
            #expect(read(UInt64.self, beyond) == nil)
        }
        #expect(read(UInt64.self, "-1") == nil)
        #expect(read(UInt8.self, "255") == 255)
        #expect(read(UInt8.self, "256") == nil)
        #expect(read(Int8.self, "-128") == -128)
        #expect(read(Int8.self, "-129") == nil)
        #expect(read(Int.self, "1.0") == 1)
        #expect(read(Int.self, "12e2") == 1_200)
        #expect(read(Int.self, "1200e-2") == 12)
        #expect(read(Int.self, "0.5e1") == 5)
        #expect(read(Int.self, "1.5") == nil)
        #expect(read(Int64.self, "9007199254740991.0") == CanonicalJSON.largestInteger)
        #expect(read(Int64.self, "9007199254740992.5") == nil)
        #expect(read(Int.self, "1e-1") == nil)
        #expect(read(Int.self, "1e99999999999999999999") == nil)
        #expect(read(Int.self, "1e-99999999999999999999") == nil)
        #expect(read(Int.self, "0e99999999999999999999") == 0)
        #expect(read(Int.self, "\"1\"") == nil)
        #expect(read(Int.self, "true") == nil)
        #expect(read(Double.self, "1.7976931348623157e308") == .greatestFiniteMagnitude)
        #expect(read(Double.self, "1e309") == nil)
        #expect(read(Double.self, "5e-324") == .leastNonzeroMagnitude)
        #expect(read(Double.self, "1e-400") == nil)
        #expect(read(Double.self, "0e-400") == 0)
        #expect(read(Double.self, "-0.0")?.sign == .minus)
        #expect(read(JSONValue.self, "18446744073709551616") == .number(18_446_744_073_709_551_616))
        #expect(read(JSONValue.self, "[1e999]") == nil)
    }

    /// Numbers stored before there was a range stay readable: they become the nearest value in the range.
    @Test func whatIsStoredIsClamped() throws {
        func read<Number: Decodable>(_ type: Number.Type, _ text: String) throws -> Number {
            try CanonicalJSON.decode(type, from: Array(text.utf8), beyondRange: .clamped)
        }
        let largest = CanonicalJSON.largestInteger
        #expect(try read(Int64.self, "9223372036854776000") == largest)
        #expect(try read(Int.self, "-9223372036854776000") == Int(-largest))
        #expect(try read(UInt64.self, "18446744073709551616") == UInt64(largest))
        #expect(try read(Epoch.self, "18446744073709552000") == .highest)
        #expect(try read(WallTime.self, "9223372036854776000") == WallTime(clamping: .max))
        #expect(try read(WallTime.self, "-1").milliseconds == 0)
        #expect(try read(Int64.self, "7") == 7)
        for wrong in ["7.5", "\"7\"", "1e999", "null"] {
            #expect(throws: DecodingError.self) { try read(Int64.self, wrong) }
        }
        #expect(throws: DecodingError.self) { try read(UInt8.self, "256") }
        #expect(throws: DecodingError.self) { try read(UInt64.self, "-9223372036854776000") }
        #expect(throws: DecodingError.self) { try CanonicalJSON.decode(WallTime.self, from: Array("-1".utf8)) }
    }

    @Test(arguments: [Int64.max, .min, 9_007_199_254_740_992, -9_007_199_254_740_992])
    func integersThatReadersMayReadDifferentlyAreNotWritten(_ number: Int64) {
        #expect(throws: NotRepresentable.self) { try CanonicalJSON.encode([number]) }
        #expect(throws: NotRepresentable.self) { try CanonicalJSON.encode([number.magnitude]) }
    }

    /// A number in an answer keeps the text that it was written as.
    @Test func anAnswerKeepsTheDigitsOfItsNumbers() throws {
        let digits = ["1.10", "1.0", "12345678901234567890", "1e999", "-0", "1E+2", "0.1e-7"]
        let answer = try CanonicalJSON.answer(from: Array("[\(digits.joined(separator: ", "))]".utf8))
        #expect(answer == .array(digits.map(Answer.number)))
        #expect(answer.value(at: "/0")?.measure == 1.1)
        #expect(answer.value(at: "/3")?.measure == nil)
        #expect(throws: JSONError.self) { try CanonicalJSON.answer(from: Array(#"{"a":1,"a":1}"#.utf8)) }
    }

    // MARK: Values

    private struct Everything: Codable, Hashable {
        enum Choice: Codable, Hashable {
            case plain
            case with(name: String, Int)
        }
        var text = "a\"b\\é\n"
        var flag = true
        var whole = -7
        var small: UInt8 = 255
        var large: UInt64 = 9_007_199_254_740_991
        var half = 0.5
        var float: Float = 0.25
        var absent: String?
        var present: Int? = 3
        var list = [[1], [], [2, 3]]
        var byName: [HostName: [Int]] = ["h": [1], "g": []]
        var byText = ["x": 1.5, "": 2]
        var choices = [Choice.plain, .with(name: "x", 4)]
        var optionals: [Int?] = [nil, 5]
        var raw = JSONValue.object(["k": .array([.null, .integer(1), .number(1.5)])])
    }

    @Test func whatWasEncodedIsDecoded() throws {
        let value = Everything()
        let bytes = try CanonicalJSON.encode(value)
        #expect(try CanonicalJSON.decode(Everything.self, from: bytes) == value)
        // Names may be in any order, and unknown names are ignored.
        let text = try JSONEncoder().encode([value, value])
        #expect(try CanonicalJSON.decode([Everything].self, from: Array(text)) == [value, value])
        let more = Array(#"{"unknown":[{}],"item":"i","more":1,"surface":"s"}"#.utf8)
        #expect(try CanonicalJSON.decode(ItemReference.self, from: more) == ItemReference(surface: "s", item: "i"))
    }

    @Test func anErrorNamesThePlace() throws {
        func message(_ text: String) -> String? {
            do {
                _ = try CanonicalJSON.decode([[String: ItemReference]].self, from: Array(text.utf8))
                return nil
            } catch DecodingError.keyNotFound(let key, let context) {
                return context.codingPath.map(\.stringValue).joined(separator: " ") + " lacks " + key.stringValue
            } catch DecodingError.typeMismatch(_, let context) {
                return context.codingPath.map(\.stringValue).joined(separator: " ") + " mismatches"
            } catch DecodingError.valueNotFound(_, let context) {
                return context.codingPath.map(\.stringValue).joined(separator: " ") + " is null"
            } catch {
                return "\(error)"
            }
        }
        #expect(message(#"[{},{"x":{"surface":"s","item":"i"},"y":{"item":"i"}}]"#) == "Index 1 y lacks surface")
        #expect(message(#"[{},{"x":{"surface":"s","item":7}}]"#) == "Index 1 x item mismatches")
        #expect(message(#"[{"x":{"item":"i","surface":null}}]"#) == "Index 0 x surface is null")
        #expect(message(#"{"x":1}"#) == " mismatches")
        #expect(message(#"[{"x":1,"x":2}]"#) == "not JSON: an object has the same name twice at byte 8")
    }

    // MARK: Compared with Foundation's decoder

    private func foundation(_ bytes: [UInt8]) -> JSONValue? {
        (try? JSONDecoder().decode(JSONValue.self, from: Data(bytes))).map(rounded)
    }

    /// Foundation truncates the fraction of a number beyond 2^53, so large numbers are compared approximately.
    private func rounded(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null, .bool, .string: value
        case .integer(let number): number.magnitude < 1 << 52 ? value : .number(Double(Float(number)))
        case .number(let number): number.magnitude < 0x1p52 ? value : .number(Double(Float(number)))
        case .array(let elements): .array(elements.map(rounded))
        case .object(let members): .object(members.mapValues(rounded))
        }
    }

    /// Generates a document from a seed, with varied spelling and white space.
    private struct Writer {
        var state: UInt64

        mutating func pick(_ count: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % count)
        }

        mutating func space() -> String { ["", "", "", " ", "\n", "\t "][pick(6)] }

        mutating func text() -> String {
            let parts = ["a", "bc", "é", "😀", "\\n", "\\u00e9", "\\ud83d\\ude00", "\\\"", "\\/", "z", " "]
            return "\"" + (0..<pick(5)).map { _ in parts[pick(11)] }.joined() + "\""
        }

        mutating func number() -> String {
            let whole = [
                "0", "7", "-1", "42", "-0", "9007199254740991", "9223372036854775808", "123456789012345678901",
            ]
            let tail = ["", "", "", ".0", ".5", "e2", "E+3", "e-2", ".25e1", "e30"]
            return whole[pick(8)] + tail[pick(10)]
        }

        mutating func value(_ depth: Int) -> String {
            switch pick(depth > 4 ? 6 : 9) {
            case 0: return "null"
            case 1: return "true"
            case 2: return "false"
            case 3: return number()
            case 4, 5: return text()
            case 6:
                let elements = (0..<pick(4)).map { _ in space() + value(depth + 1) + space() }
                return "[" + elements.joined(separator: ",") + "]"
            default:
                let members = (0..<pick(5)).map { number -> String in
                    let name = text().dropLast() + "\(pick(2) == 0 ? "" : "q")\(number)\""
                    return "\(space())\(name)\(space()):\(space())\(value(depth + 1))\(space())"
                }
                return "{" + members.joined(separator: ",") + "}"
            }
        }
    }

    @Test func everyDocumentReadsAsFoundationReadsIt() throws {
        for seed in 0..<2_000 as Range<UInt64> {
            var writer = Writer(state: seed)
            let bytes = Array((writer.space() + writer.value(0) + writer.space()).utf8)
            let own = (try? CanonicalJSON.decode(JSONValue.self, from: bytes)).map(rounded)
            #expect(own == foundation(bytes), "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
        }
    }

    /// Damaged bytes: whatever is read agrees with Foundation, and nothing is read that Foundation refuses.
    @Test func nothingIsReadThatFoundationRefuses() throws {
        var refused = 0
        for seed in 0..<4_000 as Range<UInt64> {
            var writer = Writer(state: seed)
            var bytes = Array(writer.value(0).utf8)
            let place = writer.pick(UInt64(bytes.count))
            switch writer.pick(3) {
            case 0: bytes[place] = UInt8(writer.pick(256))
            case 1: bytes.remove(at: place)
            default: bytes.insert(Array("{}[]\",:\\ue0-.\u{0}".utf8)[writer.pick(14)], at: place)
            }
            guard let own = try? CanonicalJSON.decode(JSONValue.self, from: bytes) else {
                refused += 1
                continue
            }
            #expect(rounded(own) == foundation(bytes), "seed \(seed): \(bytes)")
        }
        #expect(refused > 1_000)
    }
}

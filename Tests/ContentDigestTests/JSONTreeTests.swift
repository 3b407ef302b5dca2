import ContentDigest
import Foundation
import Testing
import UpgradeDomain

/// A value encoded directly into a tree equals the tree of its text.
struct JSONTreeTests {
    private struct Everything: Codable {
        enum Choice: Codable {
            case plain
            case with(name: String, Int)
        }
        var text = "a/b \"c\" é \u{1F6A2}\n\u{1}"
        var flag = true
        var whole = -7
        var small: UInt8 = 255
        var large: UInt64 = 9_007_199_254_740_991
        var largest: Int64 = 9_007_199_254_740_991
        var half = 0.5
        var integral = 3.0
        var float: Float = 0.25
        var absent: String?
        var present: String? = "here"
        var list = [1, 2, 3]
        var empty: [String] = []
        var nothing: [String: Int] = [:]
        var nested = [["a": [true, false]], [:]]
        var byName: [HostName: [Int]] = ["h": [1]]
        var byLayer: [Placement: Bool] = [Placement(host: "h", layer: "l"): true]
        var choices = [Choice.plain, .with(name: "x", 4)]
        var optionals: [Int?] = [nil, 5]
        var smallest: Int64 = -9_007_199_254_740_991
        var raw = JSONValue.object(["k": .array([.null, .integer(1), .number(1.5)])])
    }

    private func agrees(_ value: some Encodable) throws {
        let read = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
        #expect(try CanonicalJSON.encode(read) == CanonicalJSON.encode(value))
    }

    @Test func everyShapeOfAValueMatchesItsText() throws {
        try agrees(Everything())
        try agrees([Everything(), Everything()])
        try agrees("text")
        try agrees(5)
        try agrees([String]())
        try agrees([String: String]())
        try agrees(["\u{ffff}": 1, "\u{1F6A2}": 2, "\u{e9}": 3, "e": 4])
    }

    /// Encodes a name twice, as a value that is encoded in parts does.
    private struct Twice: Encodable {
        enum CodingKeys: CodingKey { case b, a }

        func encode(to encoder: any Encoder) throws {
            for value in 1...2 {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(value, forKey: .b)
                try container.encodeNil(forKey: .a)
            }
        }
    }

    @Test func aNameEncodedTwiceKeepsItsLastValue() throws {
        #expect(try CanonicalJSON.encode(Twice()) == Array(#"{"a":null,"b":2}"#.utf8))
    }
}

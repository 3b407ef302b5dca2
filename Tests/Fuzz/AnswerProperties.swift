import ContentDigest
import UpgradeDomain

/// An answer of a surface: the first byte chooses how it is read, its highest bit that it is lines of names and values. The
/// rest is its body.
enum AnswerProperties {
    private static let readers: [Reader] = [
        Reader(shape: .statusMap, timestamp: TimestampRule(pointer: "/at", maxAgeSeconds: 60)),
        Reader(shape: .statusList, items: "/services", key: ["name", "zone"], whenPresent: ["also"]),
        Reader(
            shape: .statusObjects, items: "/checks",
            timestamp: TimestampRule(pointer: "at", maxAgeSeconds: 9, perItem: true)),
        Reader(shape: .value, items: "/version", key: ["app"]), Reader(shape: .items), Reader(shape: .result),
        Reader(
            shape: .measures, require: ["/status": "ok"],
            measures: [Measure(name: "depth", pointer: "/depth", atLeast: 0, rise: Tolerance(percent: 50))]),
    ]

    static func check(_ input: [UInt8]) {
        guard let first = input.first else { return }
        var reader = readers[Int(first) % readers.count]
        let body = Array(input.dropFirst())
        let document: Result<Answer, UnknownReason>
        if first < 0x80 {
            document = Result { () throws(JSONError) in try CanonicalJSON.answer(from: body) }
                .mapError { UnknownReason(.unparsable, "\($0)") }
        } else {
            reader.format = .keyValues
            document = KeyValueLines.document(in: body)
        }
        let answer = RawAnswer(
            resultCode: 200, document: document, text: String(decoding: body, as: UTF8.self), truncated: false,
            hostTime: WallTime(clamping: 1_800_000_000_000))
        let result = reader.read(answer, acceptedCodes: [200])
        require(result == reader.read(answer, acceptedCodes: [200]), "reading it twice gives different results")
        if case .success(let whole) = document { checkNumbers(whole, body) }
        guard case .success(let items) = result else { return }
        require(Set(items.map(\.key)).count == items.count, "two items have the same key")
        // The recorded form can be read again.
        let reading = SurfaceReading(name: "s", role: .family, durationMilliseconds: 0, items: items)
        let read = (try? CanonicalJSON.encode(reading)).flatMap {
            try? CanonicalJSON.decode(SurfaceReading.self, from: $0)
        }
        require(read == reading, "\(items) can not be recorded")
    }

    /// Every number appears in the body exactly as it is reported.
    private static func checkNumbers(_ answer: Answer, _ body: [UInt8]) {
        switch answer {
        case .number(let digits):
            require(body.firstRange(of: Array(digits.utf8)) != nil, "the number \(digits) is not in it")
        case .array(let elements): for element in elements.prefix(64) { checkNumbers(element, body) }
        case .object(let members): for member in members.values.prefix(64) { checkNumbers(member, body) }
        case .null, .bool, .string: break
        }
    }
}

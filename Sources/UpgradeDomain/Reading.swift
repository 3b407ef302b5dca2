import SafeText

/// A raw answer as the agent returned it, parsed where it is JSON (JSON lines as an array) or lines of names and values.
package struct RawAnswer: Sendable {
    /// The HTTP status or exit code.
    package var resultCode: Int
    /// Whether a command answered; then the code is its exit code.
    package var isOfCommand: Bool
    /// The parsed body, or why it could not be parsed.
    package var document: Result<Answer, UnknownReason>
    /// The body as text, without surrounding white space.
    package var text: String
    package var truncated: Bool
    /// The media type of the answer; nil if it had none, as for commands.
    package var contentType: String?
    /// The host's wall clock when it answered.
    package var hostTime: WallTime

    package init(
        resultCode: Int, isOfCommand: Bool = false, document: Result<Answer, UnknownReason>, text: String,
        truncated: Bool,
        contentType: String? = nil, hostTime: WallTime
    ) {
        self.resultCode = resultCode
        self.isOfCommand = isOfCommand
        self.document = document
        let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
        let start = text.unicodeScalars.drop(while: isSpace)
        self.text = String(start.prefix(start.count - start.reversed().prefix(while: isSpace).count))
        self.truncated = truncated
        self.contentType = contentType
        self.hostTime = hostTime
    }
}

extension Reader {
    /// The largest number of items one surface may hold.
    package static let maximumItems = 2_000
    /// The typed items of an answer, or why there are none. Fails closed: anything that cannot be read never counts as
    /// healthy.
    package func read(_ answer: RawAnswer, acceptedCodes: [Int]) -> Result<[EvidenceItem], ReadingFailure> {
        do throws(ReadingFailure) {
            return .success(try items(of: answer, acceptedCodes))
        } catch {
            return .failure(error)
        }
    }

    private func items(of answer: RawAnswer, _ acceptedCodes: [Int]) throws(ReadingFailure) -> [EvidenceItem] {
        if shape == .result {
            let health: Health = acceptedCodes.contains(answer.resultCode) ? .healthy : .unhealthy
            return [EvidenceItem(key: "result", value: "\(answer.resultCode)", health: health)]
        }
        guard acceptedCodes.contains(answer.resultCode) else {
            let verb = answer.isOfCommand ? "exited with" : "answered"
            throw ReadingFailure(.unacceptedStatus, "\(verb) \(answer.resultCode)")
        }
        guard !answer.truncated else {
            throw ReadingFailure(
                .truncated, "the answer is longer than the \(counted(answer.text.utf8.count, "byte")) that are read")
        }
        if shape == .value, items.isEmpty {
            guard !answer.text.isEmpty else { throw ReadingFailure(.noItems, "the answer is empty") }
            return [EvidenceItem(key: name(joining: key), value: answer.text, health: .healthy)]
        }
        try checkContentType(answer.contentType)
        let document: Answer
        switch answer.document {
        case .success(let answer): document = answer
        case .failure(let reason): throw ReadingFailure(reason.code, reason.detail)
        }
        try checkRequirements(document)
        if let timestamp, !timestamp.perItem { try checkAge(document, timestamp, answer.hostTime, of: "the answer") }
        let found = try statusItems(document, answer.hostTime) + measures.map { item(of: $0, in: document) }
        guard !found.isEmpty else { throw ReadingFailure(.noItems, "no items at '\(items)'") }
        guard found.count <= Reader.maximumItems else {
            throw ReadingFailure(.truncated, "\(counted(found.count, "item")), more than \(Reader.maximumItems)")
        }
        if let twice = firstRepeated(found.map(\.key)) {
            throw ReadingFailure(.unparsable, "item '\(shown(twice))' appears twice")
        }
        return found
    }

    // MARK: The document as a whole

    private func checkContentType(_ contentType: String?) throws(ReadingFailure) {
        guard let contentType else { return }
        let bytes = contentType.utf8.prefix { $0 != 0x3b }.filter { $0 > 0x20 }
        let type = String(decoding: bytes, as: UTF8.self).lowercasedASCII
        let isJSON = type == "application/json" || type.ends(with: "+json")
        let isAccepted =
            contentTypes.isEmpty
            ? isJSON || format.textTypes.contains(type) : contentTypes.contains { $0.lowercasedASCII == type }
        guard isAccepted else {
            throw ReadingFailure(
                .wrongContentType, "the answer is \(shown(type)), and `contentTypes` does not name that")
        }
    }

    private func checkRequirements(_ document: Answer) throws(ReadingFailure) {
        for (pointer, wanted) in require.sorted(by: { $0.key < $1.key }) {
            let found = document.value(at: pointer)
            guard found?.text?.isSpelled(wanted) == true else {
                throw ReadingFailure(.errorBody, "'\(pointer)' is \(found.map(shown) ?? "absent"), not '\(wanted)'")
            }
        }
    }

    private func checkAge(
        _ value: Answer, _ rule: TimestampRule, _ now: WallTime, of what: String
    ) throws(ReadingFailure) {
        guard let found = value.value(at: rule.pointer) else {
            throw ReadingFailure(.stale, "\(what) has nothing at '\(rule.pointer)', where its time should be")
        }
        guard let made = Reader.time(found) else {
            throw ReadingFailure(
                .stale,
                "\(what) has \(shown(found)) at '\(rule.pointer)', which is not a time between 1970 and 9999: neither RFC 3339 "
                    + "with its offset, such as 2026-11-23T12:00:00Z, nor a number of seconds since 1970")
        }
        let age = now.milliseconds(since: made) / 1_000
        let allowed = Int64(rule.maxAgeSeconds)
        guard age <= allowed else {
            throw ReadingFailure(.stale, "\(what) is \(age) s old, at most \(allowed) s allowed")
        }
        guard age >= -allowed else { throw ReadingFailure(.stale, "\(what) is \(-age) s in the future") }
    }

    // MARK: Items

    private func statusItems(_ document: Answer, _ now: WallTime) throws(ReadingFailure) -> [EvidenceItem] {
        if shape == .measures { return [] }
        guard let found = document.value(at: items) else {
            throw ReadingFailure(.unparsable, "nothing at '\(items)'")
        }
        var result: [EvidenceItem] = []
        switch (shape, found) {
        case (.statusList, .array(let elements)):
            for (index, element) in elements.enumerated() {
                var parts: [String] = []
                for path in key {
                    guard let part = element.member(path)?.text else {
                        throw ReadingFailure(.unparsable, "element \(index) has no '\(path)'")
                    }
                    parts.append(part)
                }
                result.append(try item(named: name(joining: parts), of: element, now))
            }
        case (.statusObjects, .object(let members)):
            for (name, member) in members.sorted(by: { $0.key < $1.key }) {
                result.append(try item(named: name, of: member, now))
            }
        case (.statusMap, .object(let members)):
            let measured = Set(measures.map(\.pointer))
            for (name, value) in members.sorted(by: { $0.key < $1.key })
            where !measured.contains("\(items)/\(JSONPointer.escape(name))") {
                result.append(
                    EvidenceItem(
                        key: name, value: value.text ?? "(none)",
                        health: uncheckedKeys.contains(name) ? .healthy : health(of: value)))
            }
        case (.items, .array(let elements)):
            for (index, element) in elements.enumerated() {
                guard let key = element.member("key")?.text, let value = element.member("value")?.text,
                    let word = element.member("health")?.text, let health = Health(rawValue: word)
                else { throw ReadingFailure(.unparsable, "element \(index) is not {key, value, health}") }
                result.append(EvidenceItem(key: key, value: value, health: health))
            }
        case (.value, _):
            guard let text = found.text else {
                throw ReadingFailure(.unparsable, "'\(items)' is not a single value")
            }
            result = [EvidenceItem(key: name(joining: key), value: text, health: .healthy)]
        case (.statusList, _), (.statusMap, _), (.statusObjects, _), (.measures, _), (.items, _), (.result, _):
            throw ReadingFailure(.unparsable, "'\(items)' does not have the shape \(shape.rawValue)")
        }
        return result
    }

    private func item(
        named name: String, of element: Answer, _ now: WallTime
    ) throws(ReadingFailure) -> EvidenceItem {
        if let timestamp, timestamp.perItem { try checkAge(element, timestamp, now, of: "item '\(shown(name))'") }
        let main = element.member(status)
        var words = [main?.text ?? "(none)"]
        var worst = uncheckedKeys.contains(name) ? .healthy : health(of: main)
        for path in whenPresent {
            guard let value = element.member(path), value != .null, value != .string("") else { continue }
            words.append(value.text ?? "(none)")
            worst = max(worst, health(of: value))
        }
        return EvidenceItem(key: name, value: words.joined(separator: ", "), health: worst)
    }

    private func health(of value: Answer?) -> Health {
        guard let word = value?.text else { return .unknown }
        if unhealthy.contains(where: { Reader.isSameWord($0, word) }) { return .unhealthy }
        return healthy.contains { Reader.isSameWord($0, word) } ? .healthy : .unknown
    }

    /// Case is ignored. A word matches letters beyond ASCII only if it has such letters itself, because the kelvin sign
    /// would otherwise equal a `k`.
    private static func isSameWord(_ known: String, _ word: String) -> Bool {
        let isASCII = known.utf8.allSatisfy { $0 < 0x80 }
        return isASCII
            ? known.lowercasedASCII.isSpelled(word.lowercasedASCII) : known.lowercased().isSpelled(word.lowercased())
    }

    private func item(of measure: Measure, in document: Answer) -> EvidenceItem {
        let found = document.value(at: measure.pointer)
        let value = measure.counts == true ? found?.count.map { .number("\($0)") } : found
        guard let text = value?.text, let number = value?.measure else {
            return EvidenceItem(key: measure.name, value: value?.text ?? "(none)", health: .unknown)
        }
        let isInside = number >= measure.atLeast ?? -.infinity && number <= measure.atMost ?? .infinity
        return EvidenceItem(key: measure.name, value: text, health: isInside ? .healthy : .unhealthy)
    }

    private func name(joining parts: [String]) -> String { parts.joined(separator: "/") }

    private static func time(_ value: Answer) -> WallTime? {
        if case .string(let text) = value { return WallTime(rfc3339: text) }
        guard let seconds = value.measure, seconds.magnitude < 1e12 else { return nil }
        return WallTime(milliseconds: Int64(seconds * 1_000))
    }

    private func firstRepeated(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.first { !seen.insert($0).inserted }
    }

    private func shown(_ text: String) -> String { String(String.UnicodeScalarView(text.unicodeScalars.prefix(80))) }

    private func shown(_ value: Answer) -> String {
        switch value {
        case .null: "null"
        case .bool, .number: shown(value.text ?? "")
        case .string(let text): "'\(shown(text))'"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// Why an answer gave no items.
package struct ReadingFailure: Error, Hashable, Sendable {
    package var reason: UnknownReason

    init(_ code: UnknownReason.Code, _ detail: String) { reason = UnknownReason(code, detail) }
}

/// The JSON that a surface answered. Lockflight only reads it and never writes it again.
///
/// A number keeps its original text: a build number of twenty digits, or `1.10`, is an identity, not a quantity. Only
/// ``measure`` converts it to a quantity.
package enum Answer: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number exactly as it was written.
    case number(String)
    case string(String)
    case array([Answer])
    case object([String: Answer])

    /// The original text of a scalar; nil for null, arrays and objects.
    package var text: String? {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .number(let value), .string(let value): value
        case .null, .array, .object: nil
        }
    }

    /// How many elements or members it has; nil for scalars and null.
    package var count: Int? {
        switch self {
        case .array(let elements): elements.count
        case .object(let members): members.count
        case .null, .bool, .number, .string: nil
        }
    }

    /// The number as a quantity, to the precision of a double; nil for everything else, and for a number outside the
    /// range of a double.
    package var measure: Double? {
        guard case .number(let digits) = self, let value = Double(digits), value.isFinite else { return nil }
        return value
    }
}

extension Answer: PointedJSON {
    package func child(_ token: String) -> Answer? {
        switch self {
        case .object(let members): members[token]
        case .array(let elements):
            JSONPointer.index(token).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
        case .null, .bool, .number, .string: nil
        }
    }
}

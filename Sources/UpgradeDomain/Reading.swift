/// A raw answer as the agent returned it, parsed where it is JSON (JSON lines as an array).
public struct RawAnswer: Sendable {
    /// The HTTP status or exit code.
    public var resultCode: Int
    /// Nil when the body is not JSON.
    public var document: JSONValue?
    /// The body as text, without the white space around it.
    public var text: String
    public var truncated: Bool
    /// The media type that came with it; nil where none did, as for commands.
    public var contentType: String?
    /// The host's wall clock when it answered.
    public var hostTime: WallTime

    public init(
        resultCode: Int, document: JSONValue?, text: String, truncated: Bool, contentType: String? = nil,
        hostTime: WallTime
    ) {
        self.resultCode = resultCode
        self.document = document
        let start = text.drop(while: \.isWhitespace)
        self.text = String(start.prefix(start.count - start.reversed().prefix(while: \.isWhitespace).count))
        self.truncated = truncated
        self.contentType = contentType
        self.hostTime = hostTime
    }
}

extension Reader {
    /// The largest number of items one surface may hold.
    public static let maximumItems = 2_000
    /// The longest value kept of one item, in characters.
    public static let maximumValueCharacters = 200

    /// The typed items of an answer, or why there are none. Fails closed: nothing unread counts as healthy.
    public func read(_ answer: RawAnswer, acceptedCodes: [Int]) -> Result<[EvidenceItem], ReadingFailure> {
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
            throw ReadingFailure(.unacceptedStatus, "answered \(answer.resultCode)")
        }
        guard !answer.truncated else { throw ReadingFailure(.truncated, "the answer is longer than the limit") }
        if shape == .value, items.isEmpty {
            guard !answer.text.isEmpty else { throw ReadingFailure(.noItems, "the answer is empty") }
            return [EvidenceItem(key: name(joining: key), value: clipped(answer.text), health: .healthy)]
        }
        try checkContentType(answer.contentType)
        guard let document = answer.document else { throw ReadingFailure(.unparsable, "the answer is not JSON") }
        try checkRequirements(document)
        if let timestamp, !timestamp.perItem { try checkAge(document, timestamp, answer.hostTime, of: "the answer") }
        let found = try statusItems(document, answer.hostTime) + measures.map { item(of: $0, in: document) }
        guard !found.isEmpty else { throw ReadingFailure(.noItems, "no items at '\(items)'") }
        guard found.count <= Reader.maximumItems else {
            throw ReadingFailure(.truncated, "\(found.count) items, more than \(Reader.maximumItems)")
        }
        if let twice = firstRepeated(found.map(\.key)) {
            throw ReadingFailure(.unparsable, "item '\(twice)' appears twice")
        }
        return found
    }

    // MARK: The document as a whole

    private func checkContentType(_ contentType: String?) throws(ReadingFailure) {
        guard let contentType else { return }
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { !$0.isWhitespace }
        let isJSON = type == "application/json" || type.hasSuffix("+json")
        let isLines =
            format == .jsonLines && ["application/x-ndjson", "application/jsonl", "text/plain"].contains(type)
        let isAccepted =
            contentTypes.isEmpty ? isJSON || isLines : contentTypes.contains { $0.lowercased() == type }
        guard isAccepted else { throw ReadingFailure(.wrongContentType, "the answer is \(clipped(type))") }
    }

    private func checkRequirements(_ document: JSONValue) throws(ReadingFailure) {
        for (pointer, wanted) in require.sorted(by: { $0.key < $1.key }) {
            let found = document.value(at: pointer)?.scalarText
            guard found == wanted else {
                throw ReadingFailure(
                    .errorBody, "'\(pointer)' is \(found.map { "'\(clipped($0))'" } ?? "absent"), not '\(wanted)'")
            }
        }
    }

    private func checkAge(
        _ value: JSONValue, _ rule: TimestampRule, _ now: WallTime, of what: String
    ) throws(ReadingFailure) {
        guard let made = value.value(at: rule.pointer).flatMap(Reader.time) else {
            throw ReadingFailure(.stale, "\(what) has no time at '\(rule.pointer)'")
        }
        let age = (now.milliseconds - made.milliseconds) / 1_000
        let allowed = Int64(rule.maxAgeSeconds)
        guard age <= allowed else {
            throw ReadingFailure(.stale, "\(what) is \(age) s old, at most \(allowed) s allowed")
        }
        guard age >= -allowed else { throw ReadingFailure(.stale, "\(what) is \(-age) s in the future") }
    }

    // MARK: Items

    private func statusItems(_ document: JSONValue, _ now: WallTime) throws(ReadingFailure) -> [EvidenceItem] {
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
                    guard let part = element.member(path)?.scalarText else {
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
            where !measured.contains("\(items)/\(JSONValue.escape(name))") {
                result.append(
                    EvidenceItem(
                        key: clipped(name), value: clipped(value.scalarText ?? "(none)"),
                        health: uncheckedKeys.contains(name) ? .healthy : health(of: value)))
            }
        case (.items, .array(let elements)):
            for (index, element) in elements.enumerated() {
                guard let key = element.member("key")?.scalarText, let value = element.member("value")?.scalarText,
                    let word = element.member("health")?.scalarText, let health = Health(rawValue: word)
                else { throw ReadingFailure(.unparsable, "element \(index) is no {key, value, health}") }
                result.append(EvidenceItem(key: clipped(key), value: clipped(value), health: health))
            }
        case (.value, _):
            guard let text = found.scalarText else {
                throw ReadingFailure(.unparsable, "'\(items)' is no single value")
            }
            result = [EvidenceItem(key: name(joining: key), value: clipped(text), health: .healthy)]
        case (.statusList, _), (.statusMap, _), (.statusObjects, _), (.measures, _), (.items, _), (.result, _):
            throw ReadingFailure(.unparsable, "'\(items)' does not have the shape \(shape.rawValue)")
        }
        return result
    }

    private func item(
        named name: String, of element: JSONValue, _ now: WallTime
    ) throws(ReadingFailure) -> EvidenceItem {
        if let timestamp, timestamp.perItem { try checkAge(element, timestamp, now, of: "item '\(clipped(name))'") }
        let main = element.member(status)
        var words = [main?.scalarText ?? "(none)"]
        var worst = uncheckedKeys.contains(name) ? .healthy : health(of: main)
        for path in whenPresent {
            guard let value = element.member(path), value != .null, value != .string("") else { continue }
            words.append(value.scalarText ?? "(none)")
            worst = max(worst, health(of: value))
        }
        return EvidenceItem(key: clipped(name), value: clipped(words.joined(separator: ", ")), health: worst)
    }

    private func health(of value: JSONValue?) -> Health {
        guard let word = value?.scalarText?.lowercased() else { return .unknown }
        if unhealthy.contains(where: { $0.lowercased() == word }) { return .unhealthy }
        return healthy.contains { $0.lowercased() == word } ? .healthy : .unknown
    }

    private func item(of measure: Measure, in document: JSONValue) -> EvidenceItem {
        let value = document.value(at: measure.pointer)
        guard let text = value?.scalarText, let number = Double(text), number.isFinite, value?.isNumber == true else {
            return EvidenceItem(
                key: measure.name, value: clipped(value?.scalarText ?? "(none)"), health: .unknown)
        }
        let isInside = number >= measure.atLeast ?? -.infinity && number <= measure.atMost ?? .infinity
        return EvidenceItem(key: measure.name, value: text, health: isInside ? .healthy : .unhealthy)
    }

    private func name(joining parts: [String]) -> String { clipped(parts.joined(separator: "/")) }

    private static func time(_ value: JSONValue) -> WallTime? {
        switch value {
        case .string(let text): WallTime(rfc3339: text)
        case .integer(let seconds): WallTime(milliseconds: seconds.multipliedReportingOverflow(by: 1_000).partialValue)
        case .number(let seconds):
            abs(seconds) < 1e12 ? WallTime(milliseconds: Int64(seconds * 1_000)) : nil
        case .null, .bool, .array, .object: nil
        }
    }

    private func firstRepeated(_ names: [String]) -> String? {
        var seen: Set<String> = []
        return names.first { !seen.insert($0).inserted }
    }

    private func clipped(_ text: String) -> String { String(text.prefix(Reader.maximumValueCharacters)) }
}

/// Why an answer gave no items.
public struct ReadingFailure: Error, Hashable, Sendable {
    public var reason: UnknownReason

    init(_ code: UnknownReason.Code, _ detail: String) { reason = UnknownReason(code, detail) }
}

/// A raw answer as the agent returned it, parsed where it is JSON.
public struct RawAnswer: Sendable {
    /// The HTTP status or exit code.
    public var resultCode: Int
    /// Nil when the body is not JSON.
    public var document: JSONValue?
    /// The body as text, without the white space around it.
    public var text: String
    public var truncated: Bool
    /// The host's wall clock when it answered.
    public var hostTime: WallTime

    public init(resultCode: Int, document: JSONValue?, text: String, truncated: Bool, hostTime: WallTime) {
        self.resultCode = resultCode
        self.document = document
        let start = text.drop(while: \.isWhitespace)
        self.text = String(start.prefix(start.count - start.reversed().prefix(while: \.isWhitespace).count))
        self.truncated = truncated
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
        if shape == .result {
            let accepted = acceptedCodes.contains(answer.resultCode)
            return .success([
                EvidenceItem(key: "result", value: "\(answer.resultCode)", health: accepted ? .healthy : .unhealthy)
            ])
        }
        guard acceptedCodes.contains(answer.resultCode) else {
            return .failure(.init(.unacceptedStatus, "answered \(answer.resultCode)"))
        }
        guard !answer.truncated else {
            return .failure(.init(.truncated, "the answer is longer than the limit"))
        }
        if shape == .value, items.isEmpty {
            return answer.text.isEmpty
                ? .failure(.init(.noItems, "the answer is empty"))
                : .success([EvidenceItem(key: key, value: clipped(answer.text), health: .healthy)])
        }
        guard let document = answer.document else {
            return .failure(.init(.unparsable, "the answer is not JSON"))
        }
        if let failure = staleness(of: document, hostTime: answer.hostTime) { return .failure(failure) }
        guard let found = document.value(at: items) else {
            return .failure(.init(.unparsable, "nothing at '\(items)'"))
        }
        return readItems(found)
    }

    private func readItems(_ found: JSONValue) -> Result<[EvidenceItem], ReadingFailure> {
        let pairs: [(String, JSONValue?)]
        switch (shape, found) {
        case (.statusList, .array(let elements)):
            var named: [(String, JSONValue?)] = []
            for (index, element) in elements.enumerated() {
                guard let name = element.value(at: "/\(key)")?.scalarText else {
                    return .failure(.init(.unparsable, "element \(index) has no '\(key)'"))
                }
                named.append((name, element.value(at: "/\(status)")))
            }
            pairs = named
        case (.statusMap, .object(let members)):
            pairs = members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        case (.statusObjects, .object(let members)):
            pairs = members.sorted { $0.key < $1.key }.map { ($0.key, $0.value.value(at: "/\(status)")) }
        case (.value, _):
            guard let text = found.scalarText else {
                return .failure(.init(.unparsable, "'\(items)' is no single value"))
            }
            return .success([EvidenceItem(key: key, value: clipped(text), health: .healthy)])
        case (.statusList, _), (.statusMap, _), (.statusObjects, _), (.result, _):
            return .failure(.init(.unparsable, "'\(items)' does not have the shape \(shape.rawValue)"))
        }
        guard !pairs.isEmpty else { return .failure(.init(.noItems, "no items at '\(items)'")) }
        guard pairs.count <= Reader.maximumItems else {
            return .failure(.init(.truncated, "\(pairs.count) items, more than \(Reader.maximumItems)"))
        }
        if let twice = firstRepeated(pairs.map(\.0)) {
            return .failure(.init(.unparsable, "item '\(clipped(twice))' appears twice"))
        }
        return .success(pairs.map { item(named: $0.0, status: $0.1) })
    }

    private func item(named name: String, status: JSONValue?) -> EvidenceItem {
        let word = status?.scalarText
        let health: Health
        if uncheckedKeys.contains(name) {
            health = .healthy
        } else if let word {
            let lowered = word.lowercased()
            if unhealthy.contains(where: { $0.lowercased() == lowered }) {
                health = .unhealthy
            } else {
                health = healthy.contains { $0.lowercased() == lowered } ? .healthy : .unknown
            }
        } else {
            health = .unknown
        }
        return EvidenceItem(key: clipped(name), value: clipped(word ?? "(none)"), health: health)
    }

    private func staleness(of document: JSONValue, hostTime: WallTime) -> ReadingFailure? {
        guard let timestamp else { return nil }
        guard let value = document.value(at: timestamp.pointer), let made = Reader.time(value) else {
            return .init(.stale, "no time at '\(timestamp.pointer)'")
        }
        let ageSeconds = (hostTime.milliseconds - made.milliseconds) / 1_000
        let tolerated = Int64(timestamp.maxAgeSeconds)
        guard ageSeconds <= tolerated else {
            return .init(.stale, "made \(ageSeconds) s ago, at most \(tolerated) s allowed")
        }
        return ageSeconds >= -tolerated ? nil : .init(.stale, "made \(-ageSeconds) s in the future")
    }

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

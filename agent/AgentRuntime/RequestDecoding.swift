import AgentProtocol

/// A line that is not a valid request, with as much of its number as could be read.
struct UnusableLine: Error, Hashable {
    var id: UInt32
    var refusal: Refusal
}

extension RequestFrame {
    private struct Outline: Decodable {
        var id: UInt32?
        var verb: String?
    }

    /// Reads a request: only the closed list of verbs is accepted, and nothing is guessed.
    static func decode(_ line: Result<[UInt8], LineError>) throws(UnusableLine) -> RequestFrame {
        let cause: LineError
        do {
            return try LineCodec.decode(RequestFrame.self, from: try line.get())
        } catch {
            cause = error
        }
        let outline = try? LineCodec.decode(Outline.self, from: line.get())
        let refusal: Refusal
        switch cause {
        case .tooLong(let limit): refusal = Refusal(.limitExceeded, "the line is longer than \(limit) bytes")
        case .tooDeep(let limit): refusal = Refusal(.limitExceeded, "the line nests deeper than \(limit)")
        case .malformed(let detail):
            if let verb = outline?.verb, !RequestFrame.verbs.contains(verb) {
                refusal = Refusal(.unknownVerb, "there is no verb '\(verb.prefix(40))'")
            } else {
                refusal = Refusal(.malformed, String(detail.prefix(AgentLimits.detailCharacters)))
            }
        }
        throw UnusableLine(id: outline?.id ?? 0, refusal: refusal)
    }
}

/// What a judgement found wrong; the first problem found.
package struct Problem: Codable, Hashable, Sendable {
    package var code: HoldCode
    package var detail: String
    /// The divergent item, if there is one.
    package var item: ItemDelta?

    package init(_ code: HoldCode, _ detail: String, item: ItemDelta? = nil) {
        self.code = code
        self.detail = detail
        self.item = item
    }
}

/// The result of judging a capture of its subject.
package enum Verdict: Hashable, Sendable {
    /// It is as it should be.
    case pass
    /// The previous run already moved it to the target; nothing is changed there.
    case adopt
    case fail(Problem)
    /// The result cannot be determined. Never a pass.
    case inconclusive(Problem)

    package var problem: Problem? {
        switch self {
        case .pass, .adopt: nil
        case .fail(let problem), .inconclusive(let problem): problem
        }
    }
}

/// A verdict as recorded with its capture. Readers of the record use this verdict and never judge the capture again.
package struct RecordedVerdict: Hashable, Sendable {
    /// The number of the rules that were applied, from 1. For information only; the verdict counts whatever the rules
    /// were.
    package var rules: Int
    package var verdict: Verdict

    package init(rules: Int, _ verdict: Verdict) {
        self.rules = rules
        self.verdict = verdict
    }
}

extension RecordedVerdict: Codable {
    /// The verdict's word in JSON.
    package enum Word: String, Codable, Sendable { case pass, adopt, fail, inconclusive }
    private enum CodingKeys: CodingKey { case problem, rules, verdict }

    package var word: Word {
        switch verdict {
        case .pass: .pass
        case .adopt: .adopt
        case .fail: .fail
        case .inconclusive: .inconclusive
        }
    }

    package init?(rules: Int, _ word: Word, _ problem: Problem?) {
        switch (word, problem) {
        case (.pass, nil): self.init(rules: rules, .pass)
        case (.adopt, nil): self.init(rules: rules, .adopt)
        case (.fail, let problem?): self.init(rules: rules, .fail(problem))
        case (.inconclusive, let problem?): self.init(rules: rules, .inconclusive(problem))
        case (.pass, _?), (.adopt, _?), (.fail, nil), (.inconclusive, nil): return nil
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let verdict = RecordedVerdict(
            rules: try container.decode(Int.self, forKey: .rules), try container.decode(Word.self, forKey: .verdict),
            try container.decodeIfPresent(Problem.self, forKey: .problem))
        guard let verdict else {
            throw DecodingError.dataCorruptedError(
                forKey: .problem, in: container,
                debugDescription: "a problem stands with a failed verdict, and only there")
        }
        self = verdict
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(verdict.problem, forKey: .problem)
        try container.encode(rules, forKey: .rules)
        try container.encode(word, forKey: .verdict)
    }
}

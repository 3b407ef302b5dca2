import SafeText

/// The id of one mutating script run: run, host, layer, step and attempt, with dots between them. Never run twice.
///
/// Two runs of scripts never have the same id, whatever the names: bytes that would blur the parts are written as `!` and two
/// hexadecimal digits, and no such text is the word for a rollback or a revert.
package struct OperationID: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package init(run: RunID, placement: Placement, action: OperationAction, attempt: Int) {
        let parts =
            [OperationID.escaped(run.rawValue), OperationID.escaped(placement.host.rawValue, keepingDots: true)]
            + [OperationID.escaped(placement.layer.rawValue), action.word, "\(attempt)"]
        rawValue = parts.joined(separator: ".")
    }

    /// Of the way back that a host takes by itself.
    init(revertOf change: OperationID) { rawValue = "\(change).revert!" }

    /// Whether it is one of a run's. Ids of older builds have the run's name as it is.
    package func belongs(to run: RunID) -> Bool {
        [OperationID.escaped(run.rawValue), run.rawValue].contains { rawValue.utf8.starts(with: "\($0).".utf8) }
    }

    /// - Parameter keepingDots: for the one part that is found between the others: the ones after it have none.
    fileprivate static func escaped(_ name: String, keepingDots: Bool = false) -> String {
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x40, 0x2b, 0x2d: bytes.append(byte)
            case 0x2e where keepingDots: bytes.append(byte)
            default:
                let digits = Array("0123456789abcdef".utf8)
                bytes += [0x21, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What an operation does.
package enum OperationAction: Codable, Hashable, Sendable {
    case step(name: StepName)
    case rollback

    var word: String {
        switch self {
        case .step(let name): OperationID.escaped(name.rawValue)
        case .rollback: "rollback!"
        }
    }
}

/// The durable intent of one operation, written before the host is touched.
package struct OperationIntent: Codable, Hashable, Sendable {
    package var id: OperationID
    package var placement: Placement
    package var action: OperationAction
    package var attempt: Int
    package var boundary: Boundary
    package var planDigest: Digest
    package var epoch: Epoch
    /// What the host does by itself when nobody confirms the change; nil where it only does what it is told.
    package var revert: RevertIntent?

    package init(
        id: OperationID, placement: Placement, action: OperationAction, attempt: Int, boundary: Boundary,
        planDigest: Digest, epoch: Epoch, revert: RevertIntent? = nil
    ) {
        self.id = id
        self.placement = placement
        self.action = action
        self.attempt = attempt
        self.boundary = boundary
        self.planDigest = planDigest
        self.epoch = epoch
        self.revert = revert
    }
}

/// The way back that a host takes by itself once nobody has confirmed a change in time. Part of the forward intent, so
/// that it is durable before the host is touched.
package struct RevertIntent: Codable, Hashable, Sendable {
    /// The operation under which the host runs its layer's rollback.
    package var id: OperationID
    /// Counted from the end of the change.
    package var withinSeconds: Int

    package init(of change: OperationID, withinSeconds: Int) {
        id = OperationID(revertOf: change)
        self.withinSeconds = withinSeconds
    }
}

/// How an operation ended, from the complete record in the agent's journal; nothing else counts as an end.
package struct OperationRecord: Codable, Hashable, Sendable {
    package var id: OperationID
    package var outcome: OperationOutcome
    /// The host's wall clock before its first command; nil when it is not known.
    package var startedAt: WallTime?
    package var durationMilliseconds: Int64
    package var outputBytes: Int64
    package var outputDigest: Digest?
    /// SHA-256 of the script that ran.
    package var scriptDigest: Digest?
    /// The last lines of the output, escaped by whoever shows them.
    package var outputTail: String
    /// What was put in place for it from before the change was gone when it ended; nil where it was not.
    package var copyVanished: Bool?
    /// Right after the start another file than the one that was digested stood at its path; nil where it did not.
    package var scriptReplaced: Bool?

    package static let maximumTailBytes = 2_048
    package static let lastLinesShown = 10

    /// The end of the output as lines that people are shown.
    package var lastLines: [String] {
        OperationRecord.lastLines(of: outputTail, beginsCut: outputBytes > outputTail.utf8.count)
    }

    /// The last lines of a text that people are shown, without empty ones at its end.
    ///
    /// - Parameters:
    ///   - text: what was printed, or its end.
    ///   - beginsCut: whether more was printed before it.
    package static func lastLines(of text: String, beginsCut: Bool) -> [String] {
        var lines = text.lines.map { String($0) }
        if beginsCut, let first = lines.first { lines[0] = "…" + first }
        return lines.reversed().drop { $0.trimmed.isEmpty }.prefix(lastLinesShown).reversed()
    }

    /// Each byte of it that is no UTF-8 is read as U+FFFD, which has three.
    package static let maximumDecodedTailBytes = 3 * maximumTailBytes

    package init(
        id: OperationID, outcome: OperationOutcome, startedAt: WallTime? = nil, durationMilliseconds: Int64 = 0,
        outputBytes: Int64 = 0,
        outputDigest: Digest? = nil, scriptDigest: Digest? = nil, outputTail: String = "",
        copyVanished: Bool? = nil, scriptReplaced: Bool? = nil
    ) {
        self.id = id
        self.outcome = outcome
        self.startedAt = startedAt
        self.durationMilliseconds = durationMilliseconds
        self.outputBytes = outputBytes
        self.outputDigest = outputDigest
        self.scriptDigest = scriptDigest
        self.outputTail = outputTail
        self.copyVanished = copyVanished
        self.scriptReplaced = scriptReplaced
    }
}

/// Every way in which an operation can end.
package enum OperationOutcome: Codable, Hashable, Sendable {
    /// The script exited; 0 means it passed.
    case exited(code: Int)
    case signaled(signal: Int)
    /// Its process group was ended at the deadline. `survivors` tells that a member would not die.
    case timedOut(survivors: Bool)
    /// Its supervisor was killed: the effect is unknown.
    case interrupted(detail: String)
    /// The host was rebooted while it ran: the effect is unknown, but a step may declare that it reboots.
    case rebooted
    /// A guardrail said no; the script never started.
    case guardrailRefused(guardrail: String, code: Int)
    /// The agent did not start it at all.
    case notStarted(detail: String)
}

extension OperationOutcome {
    /// Whether the script was started, so that the host can no longer be called untouched.
    package var mayHaveChangedHost: Bool {
        switch self {
        case .exited, .signaled, .timedOut, .interrupted, .rebooted: true
        case .guardrailRefused, .notStarted: false
        }
    }

    /// Whether a supervisor is left that waits for a confirmation: its script has started, and nothing of it lives on.
    package var isConfirmable: Bool {
        switch self {
        case .exited, .signaled, .timedOut(survivors: false): true
        case .timedOut(survivors: true), .interrupted, .rebooted, .guardrailRefused, .notStarted: false
        }
    }
}

extension OperationOutcome {
    /// How it ended, for people.
    package var sentence: String {
        switch self {
        case .exited(let code): "exited with \(code)"
        case .signaled(let signal): "ended by signal \(signal)"
        case .timedOut(let survivors): survivors ? "timed out, a process survives" : "timed out"
        case .interrupted(let detail): "interrupted: \(detail)"
        case .rebooted: "the host was rebooted while it ran"
        case .guardrailRefused(let guardrail, let code): "refused by \(guardrail), which exited with \(code)"
        case .notStarted(let detail): "not started: \(detail)"
        }
    }
}

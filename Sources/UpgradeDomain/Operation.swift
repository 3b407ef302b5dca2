import SafeText

/// The ID of one mutating script run: run, host, layer, step and attempt, joined by dots. Never run twice.
///
/// Two script runs never have the same ID, whatever the names. Bytes that would make the parts ambiguous are written as
/// `!` and two hexadecimal digits, and no escaped text equals the word for a rollback or a revert.
package struct OperationID: Name {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package init(run: RunID, placement: Placement, action: OperationAction, attempt: Int) {
        let parts =
            [OperationID.escaped(run.rawValue), OperationID.escaped(placement.host.rawValue, keepingDots: true)]
            + [OperationID.escaped(placement.layer.rawValue), action.word, "\(attempt)"]
        rawValue = parts.joined(separator: ".")
    }

    /// For the rollback that a host runs by itself.
    init(revertOf change: OperationID) { rawValue = "\(change).revert!" }

    /// Whether the ID belongs to this run. IDs from older builds contain the run's name unescaped.
    package func belongs(to run: RunID) -> Bool {
        [OperationID.escaped(run.rawValue), run.rawValue].contains { rawValue.utf8.starts(with: "\($0).".utf8) }
    }

    /// - Parameter keepingDots: for the one part that may contain dots; it can still be found because the parts after
    ///   it have none.
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
    /// What the host does by itself if the change is not confirmed; nil if it acts only on request.
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

/// The rollback that a host runs by itself when a change is not confirmed in time. It is part of the forward intent, so
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

/// How an operation ended, from the complete record in the agent's journal. Nothing else counts as an end.
package struct OperationRecord: Codable, Hashable, Sendable {
    package var id: OperationID
    package var outcome: OperationOutcome
    /// The host's wall clock before its first command; nil if it is not known.
    package var startedAt: WallTime?
    package var durationMilliseconds: Int64
    package var outputBytes: Int64
    package var outputDigest: Digest?
    /// SHA-256 of the script that ran.
    package var scriptDigest: Digest?
    /// The last lines of the output. The code that shows them escapes them.
    package var outputTail: String
    /// The copy that was made before the change and put in place for this operation was gone when it ended; nil if not.
    package var copyVanished: Bool?
    /// Right after the start, the file at the script's path was not the file that was digested; nil if it was.
    package var scriptReplaced: Bool?

    package static let maximumTailBytes = 2_048
    package static let lastLinesShown = 10

    /// The end of the output, as lines to show.
    package var lastLines: [String] {
        OperationRecord.lastLines(of: outputTail, beginsCut: outputBytes > outputTail.utf8.count)
    }

    /// The last lines of a text to show, without trailing empty lines.
    ///
    /// - Parameters:
    ///   - text: the output, or its end.
    ///   - beginsCut: whether more was printed before it.
    package static func lastLines(of text: String, beginsCut: Bool) -> [String] {
        var lines = text.lines.map { String($0) }
        if beginsCut, let first = lines.first { lines[0] = "…" + first }
        return lines.reversed().drop { $0.trimmed.isEmpty }.prefix(lastLinesShown).reversed()
    }

    /// Each byte that is not valid UTF-8 becomes U+FFFD, which takes three bytes.
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

/// Every way an operation can end.
package enum OperationOutcome: Codable, Hashable, Sendable {
    /// The script exited; 0 means it passed.
    case exited(code: Int)
    case signaled(signal: Int)
    /// Its process group was killed at the deadline. `survivors` says that a member could not be killed.
    case timedOut(survivors: Bool)
    /// Its supervisor was killed: the effect is unknown.
    case interrupted(detail: String)
    /// The host rebooted while it ran. The effect is unknown, but a step may declare that it reboots.
    case rebooted
    /// A guardrail refused; the script never started.
    case guardrailRefused(guardrail: String, code: Int)
    /// The agent did not start it.
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

    /// Whether a supervisor is still waiting for a confirmation: its script has started, and none of its processes is
    /// left.
    package var isConfirmable: Bool {
        switch self {
        case .exited, .signaled, .timedOut(survivors: false): true
        case .timedOut(survivors: true), .interrupted, .rebooted, .guardrailRefused, .notStarted: false
        }
    }
}

extension OperationOutcome {
    /// How it ended, as a sentence to show.
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

/// How far a placement has come in a run.
package enum PlacementPhase: Hashable, Sendable {
    /// Its turn has not come, or its drift check is running.
    case waiting
    /// It matches its last accepted capture; its steps may begin.
    case checked
    /// Its steps are running.
    case changing
    /// Its steps are done. It has not yet been seen healthy at the target.
    case warmingUp
    /// It was seen healthy at the target and must stay so.
    case soaking
    /// It stayed healthy for its whole soak.
    case soaked
    /// It failed. Only a recovery moves it on.
    case failed
    /// A rollback was requested. Its state before the rollback is being captured.
    case rollbackPending
    /// Its rollback may run or is running.
    case rollingBack
    /// Its rollback script passed. It is being compared with the state before the change.
    case provingRollback
    case rolledBack(RollbackOutcome)
    /// An owner took it out of the run.
    case retired
}

/// The result of a rollback, from the comparison with the state before the change.
package enum RollbackOutcome: String, Codable, Hashable, Sendable, CaseIterable {
    case verified, unverified, failed
    /// A guardrail did not let it start: nothing was changed.
    case refused
}

extension PlacementPhase {
    /// A phase without its details: the nodes of the diagram in `docs/rollout-state-machine.md`.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case waiting, checked, changing, warmingUp, soaking, soaked, failed, rollbackPending, rollingBack
        case provingRollback, rolledBack, retired
    }

    package var kind: Kind {
        switch self {
        case .waiting: .waiting
        case .checked: .checked
        case .changing: .changing
        case .warmingUp: .warmingUp
        case .soaking: .soaking
        case .soaked: .soaked
        case .failed: .failed
        case .rollbackPending: .rollbackPending
        case .rollingBack: .rollingBack
        case .provingRollback: .provingRollback
        case .rolledBack: .rolledBack
        case .retired: .retired
        }
    }

    package static let all: [PlacementPhase] =
        [
            .waiting, .checked, .changing, .warmingUp, .soaking, .soaked, .failed, .rollbackPending, .rollingBack,
            .provingRollback,
        ] + RollbackOutcome.allCases.map(PlacementPhase.rolledBack) + [.retired]

    /// Its kind; for a rollback, followed by a colon and the outcome.
    package var word: String {
        if case .rolledBack(let outcome) = self { "\(kind.rawValue):\(outcome.rawValue)" } else { kind.rawValue }
    }

    private static let named = Dictionary(all.map { ($0.word, $0) }) { first, _ in first }

    package init?(word: String) {
        guard let phase = PlacementPhase.named[word] else { return nil }
        self = phase
    }

    /// Every allowed transition, the whole state machine on one screen. A test compares it with the diagram.
    package static let transitions: [Kind: Set<Kind>] = [
        .waiting: [.checked, .warmingUp, .failed, .rollbackPending, .retired],
        .checked: [.changing, .waiting, .failed, .retired],
        .changing: [.changing, .warmingUp, .waiting, .failed, .rollbackPending, .retired],
        .warmingUp: [.soaking, .failed, .rollbackPending, .retired],
        .soaking: [.soaked, .warmingUp, .failed, .rollbackPending, .retired],
        .soaked: [.failed, .rollbackPending, .retired],
        .failed: [.failed, .changing, .warmingUp, .waiting, .rollbackPending, .retired],
        .rollbackPending: [.rollbackPending, .rollingBack, .provingRollback, .rolledBack, .retired],
        .rollingBack: [.rollingBack, .provingRollback, .rollbackPending, .rolledBack, .retired],
        .provingRollback: [.rolledBack, .rollbackPending, .retired],
        .rolledBack: [.rolledBack, .waiting, .rollbackPending, .retired],
        .retired: [],
    ]
}

/// The properties of a phase that other code asks about. All properties of a new phase are set here, in one place.
struct PhaseTraits: OptionSet {
    let rawValue: UInt16

    /// Its turn has not come.
    static let waiting = PhaseTraits(rawValue: 1 << 0)
    /// Its change has begun, and its soak is not complete.
    static let underWay = PhaseTraits(rawValue: 1 << 1)
    /// It uses one of the layer's slots for simultaneous changes.
    static let inFlight = PhaseTraits(rawValue: 1 << 2)
    /// It must make progress within the progress deadline.
    static let owesProgress = PhaseTraits(rawValue: 1 << 3)
    /// One of its steps may have rebooted its host.
    static let mayBeAway = PhaseTraits(rawValue: 1 << 4)
    /// It has changed, and is captured repeatedly.
    static let sampled = PhaseTraits(rawValue: 1 << 5)
    static let failed = PhaseTraits(rawValue: 1 << 6)
    /// A rollback was requested and has no outcome yet.
    static let goingBack = PhaseTraits(rawValue: 1 << 7)
    /// A rollback has an outcome.
    static let wentBack = PhaseTraits(rawValue: 1 << 8)
    /// Its outcome is not *verified*.
    static let unproved = PhaseTraits(rawValue: 1 << 9)
}

extension PlacementPhase {
    /// Whether it is captured repeatedly, and the results decide.
    package var isWatched: Bool { has(.sampled) || self == .provingRollback }

    var traits: PhaseTraits {
        switch self {
        case .waiting: [.waiting, .owesProgress]
        case .checked: [.underWay, .inFlight, .owesProgress]
        case .changing: [.underWay, .inFlight, .owesProgress, .mayBeAway]
        case .warmingUp: [.underWay, .inFlight, .mayBeAway, .sampled]
        case .soaking: [.underWay, .mayBeAway, .sampled]
        case .soaked: []
        case .failed: [.failed]
        case .rollbackPending, .rollingBack, .provingRollback: [.goingBack]
        case .rolledBack(.verified): [.wentBack]
        case .rolledBack(.unverified), .rolledBack(.failed), .rolledBack(.refused): [.wentBack, .unproved]
        case .retired: []
        }
    }

    /// Whether it has any of these traits.
    func has(_ traits: PhaseTraits) -> Bool { !self.traits.isDisjoint(with: traits) }

    /// Whether it failed or is under way, forward or back: what an operator looks for among thousands.
    package var isPressing: Bool { has([.underWay, .failed, .goingBack, .unproved]) }
}

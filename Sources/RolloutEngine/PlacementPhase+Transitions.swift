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

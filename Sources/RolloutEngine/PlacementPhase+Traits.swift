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

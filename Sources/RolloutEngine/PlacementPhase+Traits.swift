/// What a phase means to those who only ask one thing of it. The one place where a new phase says all of it.
struct PhaseTraits: OptionSet {
    let rawValue: UInt16

    /// Its turn has not come.
    static let waiting = PhaseTraits(rawValue: 1 << 0)
    /// Its change has begun and is not soaked yet.
    static let underWay = PhaseTraits(rawValue: 1 << 1)
    /// It takes one of the layer's places for changes at one time.
    static let inFlight = PhaseTraits(rawValue: 1 << 2)
    /// It has to get further within the progress deadline.
    static let owesProgress = PhaseTraits(rawValue: 1 << 3)
    /// A step of it may have sent its host into a reboot.
    static let mayBeAway = PhaseTraits(rawValue: 1 << 4)
    /// It has changed, and captures of it repeat.
    static let sampled = PhaseTraits(rawValue: 1 << 5)
    static let failed = PhaseTraits(rawValue: 1 << 6)
    /// A rollback was asked for and has no outcome yet.
    static let goingBack = PhaseTraits(rawValue: 1 << 7)
    /// A rollback has an outcome.
    static let wentBack = PhaseTraits(rawValue: 1 << 8)
    /// Its outcome is another than *verified*.
    static let unproved = PhaseTraits(rawValue: 1 << 9)
}

extension PlacementPhase {
    /// Whether looks at it repeat, and what they find decides.
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

    /// Whether any of these is true of it.
    func has(_ traits: PhaseTraits) -> Bool { !self.traits.isDisjoint(with: traits) }

    /// Whether it failed or is under way, either way: what an operator looks for among thousands.
    package var isPressing: Bool { has([.underWay, .failed, .goingBack, .unproved]) }
}

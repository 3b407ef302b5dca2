import ContentDigest
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// Keeps the overview of a run as new as its events.
package struct OverviewKeeper: RunFollower {
    /// Who can read what is kept: another build, or another shape of it, makes it again from the events.
    static let format = "\(Lockflight.version), shape 3"
    package var build: String { OverviewKeeper.format }
    private var state: RolloutState?
    private let before: RunOverview?
    private var changed: Set<Placement> = []

    /// - Parameter state: the run at its head; nil before its first event.
    package init(at state: RolloutState?) {
        self.state = state
        before = state.map(RunOverview.init)
    }

    package mutating func take(_ event: RecordedEvent) {
        // What is kept shows wall times only.
        if state == nil { state = RolloutState.fold([event], at: .zero) } else { state?.apply(event, at: .zero) }
        changed.formUnion(state?.placements.changed ?? [])
    }

    package func change(whole: Bool) throws -> OverviewChange {
        guard let state else { return OverviewChange(document: nil, placements: []) }
        let overview = RunOverview(state)
        return OverviewChange(
            document: whole || overview != before ? try CanonicalJSON.encode(overview) : nil,
            placements: (whole ? state.orderedPlacements : Array(changed)).compactMap {
                PlacementOverview($0, in: state)
            })
    }
}

extension PlacementOverview {
    init?(_ placement: Placement, in state: RolloutState) {
        guard let own = state.placements[placement], let place = state.place(of: placement) else { return nil }
        self.init(
            position: place.position, placement: placement, batch: place.batch, phase: own.phase.word,
            failureClass: own.phase == .failed ? own.problem?.code.failureClass.rawValue : nil,
            isPressing: own.phase.isPressing, phaseSince: own.phaseSince, attempt: own.attempt, isTouched: own.touched,
            recorded: own.recorded.rawValue, recordedSince: own.recordedSince, observed: own.observed,
            observedAt: own.latest?.takenAt, isRepairedByHand: own.repairedByHand, isAdopted: own.adopted)
    }
}

extension PlacementPhase {
    /// Whether it failed or is under way: what an operator looks for among thousands.
    fileprivate var isPressing: Bool {
        switch self {
        case .waiting, .soaked, .rolledBack(.verified), .retired: false
        case .checked, .changing, .warmingUp, .soaking, .failed, .rollbackPending, .rollingBack, .provingRollback,
            .rolledBack:
            true
        }
    }
}

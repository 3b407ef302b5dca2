import ContentDigest
package import Ledger
package import RolloutEngine
import RunViews
package import UpgradeDomain

/// Keeps the overview of a run as new as its events.
package struct OverviewKeeper: RunFollower {
    /// Who can read what is kept: another build, or another shape of it, makes it again from the events.
    package static let format = "\(LockflightVersion.current), shape 3"
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

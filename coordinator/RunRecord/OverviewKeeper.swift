import ContentDigest
package import Ledger
package import RolloutEngine
import RunViews
import Synchronization
package import UpgradeDomain

/// Keeps the stored overview of a run up to date with its events.
package struct OverviewKeeper: RunFollower {
    /// Identifies the format of a stored overview. Another build, or another shape, rebuilds it from the events.
    package static let format = "\(LockflightVersion.current), shape 7"
    package var build: String { OverviewKeeper.format }
    private var state: RolloutState?
    private let memory: OverviewMemory
    private let before: RunOverview?
    private var changed: Set<Placement> = []

    /// - Parameters:
    ///   - state: the run at its head; nil before its first event.
    ///   - memory: kept by the caller between appends to the same run.
    package init(at state: RolloutState?, remembering memory: OverviewMemory = OverviewMemory()) {
        self.state = state
        self.memory = memory
        before = state.map { memory.overview(at: $0.chainHead) ?? RunOverview($0) }
    }

    package mutating func take(_ event: RecordedEvent) {
        // The stored overview has only wall times.
        if state == nil { state = RolloutState.fold([event], at: .zero) } else { state?.apply(event, at: .zero) }
        changed.formUnion(state?.placements.changed ?? [])
    }

    package func change(whole: Bool) throws -> OverviewChange {
        guard let state else { return OverviewChange(document: nil, placements: []) }
        let overview = RunOverview(state)
        memory.keep(overview, at: state.chainHead)
        return OverviewChange(
            document: whole || overview != before ? try CanonicalJSON.encode(overview) : nil,
            placements: (whole ? state.orderedPlacements : Array(changed)).compactMap {
                PlacementOverview($0, in: state)
            })
    }
}

/// The newest overview of a run, so that the next append need not build it again to see what has changed.
package final class OverviewMemory: Sendable {
    private let newest = Mutex<(head: Digest, overview: RunOverview)?>(nil)

    package init() {}

    /// - Parameter head: the head of the run's chain of events, which identifies all of them.
    func overview(at head: Digest) -> RunOverview? {
        newest.withLock { $0?.head == head ? $0?.overview : nil }
    }

    func keep(_ overview: RunOverview, at head: Digest) { newest.withLock { $0 = (head, overview) } }
}

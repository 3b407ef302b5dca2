package import UpgradeDomain

/// Follows a run's events and supplies its stored overview. The ledger does not know what events mean: the caller that
/// appends them passes a follower whose state is at the run's head.
package protocol RunFollower: Sendable {
    /// The version of the program whose wording the overview uses.
    var build: String { get }
    mutating func take(_ event: RecordedEvent)
    /// What to store now.
    ///
    /// - Parameter whole: true for everything; false for what the events applied so far have changed.
    func change(whole: Bool) throws -> OverviewChange
}

/// What is stored about a run besides its events, so that it can be shown without reading them all.
package struct OverviewChange: Hashable, Sendable {
    /// The data of the whole run, as canonical JSON; nil if it has not changed.
    package var document: [UInt8]?
    package var placements: [PlacementOverview]

    package init(document: [UInt8]?, placements: [PlacementOverview]) {
        self.document = document
        self.placements = placements
    }
}

/// A placement's overview. Its wording comes from the program that appended the events.
package struct PlacementOverview: Hashable, Sendable {
    /// From 0, in plan order.
    package var position: Int
    package var placement: Placement
    /// From 0, within its layer.
    package var batch: Int
    package var phase: String
    /// The class of its failure; nil if it has none.
    package var failureClass: String?
    /// Whether it is shown even if there is no room for all placements: it failed or is under way.
    package var isPressing: Bool
    package var phaseSince: WallTime
    package var attempt: Int
    package var isTouched: Bool
    /// The version that it has according to the recorded facts.
    package var recorded: String
    package var recordedSince: WallTime
    /// The version that each component was last observed to run.
    package var observed: [ComponentName: Version]
    package var observedAt: WallTime?
    package var isRepairedByHand: Bool
    package var isAdopted: Bool

    package init(
        position: Int, placement: Placement, batch: Int, phase: String, failureClass: String?, isPressing: Bool,
        phaseSince: WallTime, attempt: Int, isTouched: Bool, recorded: String, recordedSince: WallTime,
        observed: [ComponentName: Version], observedAt: WallTime?, isRepairedByHand: Bool, isAdopted: Bool
    ) {
        self.position = position
        self.placement = placement
        self.batch = batch
        self.phase = phase
        self.failureClass = failureClass
        self.isPressing = isPressing
        self.phaseSince = phaseSince
        self.attempt = attempt
        self.isTouched = isTouched
        self.recorded = recorded
        self.recordedSince = recordedSince
        self.observed = observed
        self.observedAt = observedAt
        self.isRepairedByHand = isRepairedByHand
        self.isAdopted = isAdopted
    }
}

/// How many placements of a layer have the same state.
package struct PlacementTally: Hashable, Sendable {
    package var layer: LayerName
    package var phase: String
    package var failureClass: String?
    package var observed: [ComponentName: Version]
    package var count: Int

    package init(
        layer: LayerName, phase: String, failureClass: String?, observed: [ComponentName: Version], count: Int
    ) {
        self.layer = layer
        self.phase = phase
        self.failureClass = failureClass
        self.observed = observed
        self.count = count
    }
}

/// The overview of a run at its last event.
package struct StoredOverview: Hashable, Sendable {
    package var headSequence: UInt64
    package var headHash: Digest
    package var document: [UInt8]
    /// In no particular order.
    package var tallies: [PlacementTally]
    /// In plan order.
    package var placements: [PlacementOverview]
}

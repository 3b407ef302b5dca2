package import UpgradeDomain

/// Follows a run's events and says what of it is kept for a quick look. The ledger does not know what events mean:
/// who appends them brings one that stands at the run's head.
package protocol RunFollower: Sendable {
    /// The version of the program whose words these are.
    var build: String { get }
    mutating func take(_ event: RecordedEvent)
    /// What is to be kept now.
    ///
    /// - Parameter whole: everything; else what the events taken so far have changed.
    func change(whole: Bool) throws -> OverviewChange
}

/// What is kept of a run beside its events, so that it can be looked at without reading them all.
package struct OverviewChange: Hashable, Sendable {
    /// What concerns the run as a whole, as canonical JSON; nil where that has not changed.
    package var document: [UInt8]?
    package var placements: [PlacementOverview]

    package init(document: [UInt8]?, placements: [PlacementOverview]) {
        self.document = document
        self.placements = placements
    }
}

/// A placement at a glance. Its words are those of who appended the events.
package struct PlacementOverview: Hashable, Sendable {
    /// From 0, in the order of the plan.
    package var position: Int
    package var placement: Placement
    /// From 0, in its layer.
    package var batch: Int
    package var phase: String
    /// What kind of failure it stands in; nil where it does not.
    package var failureClass: String?
    /// Whether it is shown where there is no room for all: it failed or is under way.
    package var isPressing: Bool
    package var phaseSince: WallTime
    package var attempt: Int
    package var isTouched: Bool
    /// Which version the recorded facts put on it.
    package var recorded: String
    package var recordedSince: WallTime
    /// The version that each component was last seen running.
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

/// How many placements of a layer are alike.
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

/// The overview of a run as it is at the last event.
package struct StoredOverview: Hashable, Sendable {
    package var headSequence: UInt64
    package var headHash: Digest
    package var document: [UInt8]
    /// In no order.
    package var tallies: [PlacementTally]
    /// In the order of the plan.
    package var placements: [PlacementOverview]
}

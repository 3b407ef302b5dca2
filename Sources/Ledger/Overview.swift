public import UpgradeDomain

/// Follows a run's events and says what of it is kept for a quick look. The ledger does not know what events mean:
/// who appends them brings one that stands at the run's head.
public protocol RunFollower: Sendable {
    /// The version of the program whose words these are.
    var build: String { get }
    mutating func take(_ event: RecordedEvent)
    /// What is to be kept now.
    ///
    /// - Parameter whole: everything; else what the events taken so far have changed.
    func change(whole: Bool) throws -> OverviewChange
}

/// What is kept of a run beside its events, so that it can be looked at without reading them all.
public struct OverviewChange: Hashable, Sendable {
    /// What concerns the run as a whole, as canonical JSON; nil where that has not changed.
    public var document: [UInt8]?
    public var placements: [PlacementOverview]

    public init(document: [UInt8]?, placements: [PlacementOverview]) {
        self.document = document
        self.placements = placements
    }
}

/// A placement at a glance. Its words are those of who appended the events.
public struct PlacementOverview: Hashable, Sendable {
    /// From 0, in the order of the plan.
    public var position: Int
    public var placement: Placement
    /// From 0, in its layer.
    public var batch: Int
    public var phase: String
    /// What kind of failure it stands in; nil where it does not.
    public var failureClass: String?
    /// Whether it is shown where there is no room for all: it failed or is under way.
    public var isPressing: Bool
    public var phaseSince: WallTime
    public var attempt: Int
    public var isTouched: Bool
    /// Which version the recorded facts put on it.
    public var recorded: String
    public var recordedSince: WallTime
    /// The version that each component was last seen running.
    public var observed: [ComponentName: Version]
    public var observedAt: WallTime?
    public var isRepairedByHand: Bool
    public var isAdopted: Bool

    public init(
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
public struct PlacementTally: Hashable, Sendable {
    public var layer: LayerName
    public var phase: String
    public var failureClass: String?
    public var observed: [ComponentName: Version]
    public var count: Int

    public init(
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
public struct StoredOverview: Hashable, Sendable {
    public var headSequence: UInt64
    public var headHash: Digest
    public var document: [UInt8]
    /// In no order.
    public var tallies: [PlacementTally]
    /// In the order of the plan.
    public var placements: [PlacementOverview]
}

public import UpgradeDomain

/// A change that its host takes back by itself.
public struct PendingRevert: Hashable, Sendable {
    public let operation: OperationID
    public let placement: Placement
    public let withinSeconds: Int
    /// When the coordinator learnt of the change's end, which was before; nil while it is not known to have ended.
    public let endedAt: WallTime?
}

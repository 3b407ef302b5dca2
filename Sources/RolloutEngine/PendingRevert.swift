package import UpgradeDomain

/// A change that its host takes back by itself.
package struct PendingRevert: Hashable, Sendable {
    package let operation: OperationID
    package let placement: Placement
    package let withinSeconds: Int
    /// When the coordinator learnt of the change's end, which was before; nil while it is not known to have ended.
    package let endedAt: WallTime?
}

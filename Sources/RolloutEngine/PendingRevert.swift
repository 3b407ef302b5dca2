package import UpgradeDomain

/// A change that its host will roll back by itself.
package struct PendingRevert: Hashable, Sendable {
    package let operation: OperationID
    package let placement: Placement
    package let withinSeconds: Int
    /// When the coordinator learned of the change's end, which was earlier; nil while it is not known to have ended.
    package let endedAt: WallTime?
}

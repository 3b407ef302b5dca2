package import UpgradeDomain

/// A rollback that ignored guardrails. It is shown until an owner has acknowledged it.
package struct GuardrailOverride: Hashable, Sendable {
    package let owner: Owner
    package let scope: RollbackScope
    /// What it rolled back.
    package let placements: [Placement]
    package let at: WallTime
    /// The owners who have acknowledged it; empty while nobody has.
    package internal(set) var acknowledgedBy: [Owner] = []

    package var isOpen: Bool { acknowledgedBy.isEmpty }
}

package import UpgradeDomain

/// A rollback that an operator asked for.
package struct RollbackCampaign: Hashable, Sendable {
    package let scope: RollbackScope
    package let requestedBy: String
    /// The owner who let it go past guardrails.
    package let breakGlass: Owner?
    /// The placements of each layer, top layer first.
    package let layers: [[Placement]]
    /// Placements that an owner let the lower layers go past.
    package internal(set) var signedOff: Set<Placement> = []
    /// What must equal the baseline once every placement went back: a rollback of everything is proved as a whole.
    var proofPending: Set<EvidenceSubject>?
    var proofSequence: UInt64 = 0
}

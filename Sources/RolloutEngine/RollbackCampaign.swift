public import UpgradeDomain

/// A rollback that an operator asked for.
public struct RollbackCampaign: Hashable, Sendable {
    public let scope: RollbackScope
    public let requestedBy: String
    /// The owner who let it go past guardrails.
    public let breakGlass: Owner?
    /// The placements of each layer, top layer first.
    public let layers: [[Placement]]
    /// Placements that an owner let the lower layers go past.
    public internal(set) var signedOff: Set<Placement> = []
    /// What must equal the baseline once every placement went back: a rollback of everything is proved as a whole.
    var proofPending: Set<EvidenceSubject>?
    var proofSequence: UInt64 = 0
}

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
    package private(set) var signedOff: Set<Placement> = []
    /// What must equal the baseline once every placement went back: a rollback of everything is proved as a whole. Nil until then.
    private(set) var proofPending: Set<EvidenceSubject>?
    /// The event that began the proof: evidence ordered before it does not count.
    private(set) var proofSequence: UInt64 = 0

    init(scope: RollbackScope, requestedBy: String, breakGlass: Owner?, layers: [[Placement]]) {
        self.scope = scope
        self.requestedBy = requestedBy
        self.breakGlass = breakGlass
        self.layers = layers
    }

    /// What follows for the run from one look of the proof.
    enum ProofStep: Hashable {
        case goOn
        /// Everything equals its baseline.
        case proved
        case settle(Placement)
        /// A layer or the fleet differs: the rest need not be asked.
        case stop
    }

    mutating func signOff(_ placements: [Placement]) { signedOff.formUnion(placements) }

    /// Every placement went back: they are looked at once more, with what layers and fleet say.
    mutating func prove(with scopes: [EvidenceSubject], from sequence: UInt64) {
        proofPending = Set(layers.joined().map(EvidenceSubject.placement) + scopes)
        proofSequence = sequence
    }

    mutating func took(_ subject: EvidenceSubject, passed: Bool) -> ProofStep {
        proofPending?.remove(subject)
        if passed { return proofPending?.isEmpty == true ? .proved : .goOn }
        if case .placement(let placement) = subject { return .settle(placement) }
        proofPending = []
        return .stop
    }
}

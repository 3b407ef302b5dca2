package import UpgradeDomain

/// A rollback that an operator requested.
package struct RollbackCampaign: Hashable, Sendable {
    package let scope: RollbackScope
    package let requestedBy: String
    /// The owner who let it ignore guardrails.
    package let breakGlass: Owner?
    /// The placements of each layer, top layer first.
    package let layers: [[Placement]]
    /// Placements that an owner signed off, so that the lower layers can go on.
    package private(set) var signedOff: Set<Placement> = []
    /// What must equal the baseline once every placement has rolled back: a rollback of everything is proved as a
    /// whole. Nil until then.
    private(set) var proofPending: Set<EvidenceSubject>?
    /// The event that began the proof. Evidence ordered before it does not count.
    private(set) var proofSequence: UInt64 = 0

    init(scope: RollbackScope, requestedBy: String, breakGlass: Owner?, layers: [[Placement]]) {
        self.scope = scope
        self.requestedBy = requestedBy
        self.breakGlass = breakGlass
        self.layers = layers
    }

    /// What one capture of the proof means for the run.
    enum ProofStep: Hashable {
        case goOn
        /// Everything equals its baseline.
        case proved
        case settle(Placement)
        /// A layer or the fleet differs; the rest need not be captured.
        case stop
    }

    mutating func signOff(_ placements: [Placement]) { signedOff.formUnion(placements) }

    /// Every placement has rolled back. They are captured once more, together with layer and fleet evidence.
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

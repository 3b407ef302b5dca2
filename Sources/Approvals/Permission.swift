import SafeText
package import UpgradeDomain

/// What somebody wants to do to one placement of a run.
package struct PermissionAsk: Hashable, Sendable {
    package var action: StatementAction
    package var placement: Placement
    /// Whether the plan declares the layer one-way.
    package var isOneWay: Bool
    /// For an upgrade: the hold point that must be named; nil for none.
    package var holdPoint: HoldPoint?
    /// When the placement had attempts of this kind before, as far as they ran or may have run.
    package var attempts: [WallTime]
    /// For a recovery: where the run stands.
    package var boundary: String?
    /// For a rerun: the step that it starts from; nil for the failed step.
    package var from: StepName?
    /// For an acknowledgement: who did what is acknowledged. Where there is another owner, they do not count.
    package var doneBy: Owner?

    package init(
        _ action: StatementAction, of placement: Placement, isOneWay: Bool = false, holdPoint: HoldPoint? = nil,
        attempts: [WallTime] = [], boundary: String? = nil, from: StepName? = nil
    ) {
        self.action = action
        self.placement = placement
        self.isOneWay = isOneWay
        self.holdPoint = holdPoint
        self.attempts = attempts
        self.boundary = boundary
        self.from = from
    }
}

/// Whether it is permitted, and by whom.
package enum Permission: Hashable, Sendable {
    case given(by: [Owner])
    case lacking(Lack)

    /// What is missing.
    package struct Lack: Hashable, Sendable {
        /// Who has permitted it already, sorted.
        package var have: [Owner]
        /// The groups of which one must permit it.
        package var groups: [PolicyGroup]
        /// Why statements that were given do not count for it, each with its name.
        package var because: [String]
        /// Whether nobody's word counts because a rule of the policy can not be kept: no signature helps.
        package var needsAccounts = false

        /// Who may permit it, sorted.
        package var asked: [Owner] { Set(groups.flatMap(\.people)).sorted() }

        /// Such as `layer app needs approvals by 2 of ana, ben; given by ana`.
        package func sentence(of layer: LayerName) -> String {
            guard !asked.isEmpty else { return "layer \(layer) needs an approval, and nobody is named who may give it" }
            let given = have.isEmpty ? "" : "; given by \(have.map(\.rawValue).joined(separator: ", "))"
            let reasons = because.isEmpty ? "" : " (\(because.joined(separator: "; ")))"
            return "layer \(layer) needs \(groups.map(\.asWords).joined(separator: ", or "))\(given)\(reasons)"
        }
    }

    package var isGiven: Bool {
        switch self {
        case .given: true
        case .lacking: false
        }
    }
}

extension PolicyGroup {
    /// Such as `approvals by 2 of ana, ben`.
    fileprivate var asWords: String {
        let names = people.map(\.rawValue).joined(separator: ", ")
        if threshold > 1 { return "approvals by \(threshold) of \(names)" }
        return people.count > 1 ? "an approval by one of \(names)" : "an approval by \(names)"
    }
}

/// An owner's approval of a run, bound to the digests of the plan and of the selected hosts.
package struct Approval: Codable, Hashable, Sendable {
    package var owner: Owner
    package var planDigest: Digest
    package var hostsDigest: Digest
    /// It is a claim by this operating-system user, and counts where no policy exists.
    package var claimedBy: String
    package var approvedAt: WallTime
    /// Until this time the owner's layers may roll back to the declared boundary without another approval; nil if they
    /// may not.
    package var rollbackUntil: WallTime?
    /// How many runs it is valid for; nil for any number, as in approvals from 0.1.0. A run uses the approval with its
    /// first change. A run that changed nothing does not use it up.
    package var runs: Int?
    /// When it expires: a run that has changed nothing by then may no longer change anything; nil for never.
    package var until: WallTime?

    package init(
        owner: Owner, planDigest: Digest, hostsDigest: Digest, claimedBy: String, approvedAt: WallTime,
        rollbackUntil: WallTime? = nil, runs: Int? = nil, until: WallTime? = nil
    ) {
        self.owner = owner
        self.planDigest = planDigest
        self.hostsDigest = hostsDigest
        self.claimedBy = claimedBy
        self.approvedAt = approvedAt
        self.rollbackUntil = rollbackUntil
        self.runs = runs
        self.until = until
    }

    /// Whose it is, and by whose word.
    package var words: String { "\(owner), \(claimWords(by: claimedBy))" }
}

/// An owner's approval of one recovery. It is bound to the failed boundary, the hosts and the action. It is not bound
/// to a digest of evidence, because that changes with each capture.
package struct RecoveryApproval: Codable, Hashable, Sendable {
    /// What is approved.
    package enum Action: String, Codable, Hashable, Sendable {
        /// Run the failed step again.
        case rerun
        case rollback
    }
    package var owner: Owner
    package var action: Action
    package var boundary: Boundary
    /// In inventory order. Only what the owner's layers have on these hosts is covered.
    package var hosts: [HostName]
    /// For a rerun: the step to start from; every later step runs too. Nil for the failed step, or the last one.
    package var from: StepName?

    package init(owner: Owner, action: Action, boundary: Boundary, hosts: [HostName], from: StepName? = nil) {
        self.owner = owner
        self.from = from
        self.action = action
        self.boundary = boundary
        self.hosts = hosts
    }
}

/// An approval, and the runs that have used it.
package struct GivenApproval: Hashable, Sendable {
    package var approval: Approval
    /// In the order in which they started.
    package var usedBy: [RunID]

    package init(_ approval: Approval, usedBy: [RunID]) {
        self.approval = approval
        self.usedBy = usedBy
    }

    /// Whether as many runs have used it as it is valid for.
    package var isUsedUp: Bool { approval.runs.map { usedBy.count >= $0 } ?? false }
}

extension [GivenApproval] {
    /// The approvals that a run of exactly this plan over exactly these hosts could start with now. For each owner this
    /// is the latest approval, if it has not expired and is not used up: a later one replaces an earlier one.
    package func usable(plan: Digest, hosts: Digest, at now: WallTime) -> [Approval] {
        var latest: [Owner: GivenApproval] = [:]
        for given in self where given.approval.isFor(plan: plan, hosts: hosts) { latest[given.approval.owner] = given }
        return latest.values.filter { !$0.isUsedUp && !$0.approval.hasEnded(at: now) }.map(\.approval)
            .sorted { $0.owner < $1.owner }
    }
}

/// Whether the owners of a plan's layers have approved exactly this plan over exactly these hosts, for a run that
/// starts now.
package struct ApprovalStanding: Codable, Hashable, Sendable {
    /// Whether a layer has what it needs to start.
    package enum Verdict: Codable, Hashable, Sendable {
        case approved(by: Owner, claimedBy: String)
        /// An approval exists, but for a different plan or different hosts.
        case void(by: Owner, changed: String)
        /// It is used up by these runs.
        case used(by: Owner, runs: [RunID])
        case ended(by: Owner, at: WallTime)
        case missing
        /// As many people as the policy asks for have signed it.
        case signed(by: [Owner])
        /// In words, what the policy asks for, and who may still sign it.
        case lacking(String, asked: [Owner])
        /// Nobody has approved it yet. The run may start, as it waits there before it changes anything of the layer.
        case atHoldPoint(HoldPoint)
        /// Its release manifest is not signed by as many builders as the policy asks for, in words.
        case releaseLacking(String)
    }
    /// A layer, who may approve it, and whether they have.
    package struct LayerStanding: Codable, Hashable, Sendable {
        package var layer: LayerName
        package var owners: [Owner]
        package var verdict: Verdict

        package init(layer: LayerName, owners: [Owner], verdict: Verdict) {
            self.layer = layer
            self.owners = owners
            self.verdict = verdict
        }
    }
    /// A hold point, and whether it is open already.
    package struct PointStanding: Codable, Hashable, Sendable {
        package var point: HoldPoint
        /// Who has approved the plan for it, sorted; for a claim, who is named.
        package var givenBy: [Owner]
        /// What is missing, in words; nil if it is open.
        package var lacking: String?

        package init(point: HoldPoint, givenBy: [Owner], lacking: String?) {
            self.point = point
            self.givenBy = givenBy
            self.lacking = lacking
        }
    }
    package var layers: [LayerStanding]
    /// In plan order; nil for a plan without hold points.
    package var holdPoints: [PointStanding]?
    /// The version of the policy that says so; nil where approvals are claims.
    package var policy: Int?

    package init(layers: [LayerStanding], holdPoints: [PointStanding]?, policy: Int?) {
        self.layers = layers
        self.holdPoints = holdPoints
        self.policy = policy
    }

    /// Judges claims, which count where no policy exists. Every layer needs one of its owners, before the start or where the
    /// run waits for it.
    package init(
        plan: Plan, planDigest: Digest, hostsDigest: Digest, inventory: FleetInventory, approvals: [GivenApproval],
        at now: WallTime
    ) {
        let usable = approvals.usable(plan: planDigest, hosts: hostsDigest, at: now)
        layers = plan.layers.map { layer in
            let owners = inventory.layers.first { $0.name == layer.name }?.owners ?? []
            let own = approvals.filter { owners.contains($0.approval.owner) }
            var verdict: Verdict
            if let valid = usable.filter({ owners.contains($0.owner) }).max(by: { $0.approvedAt < $1.approvedAt }) {
                verdict = .approved(by: valid.owner, claimedBy: valid.claimedBy)
            } else if let spent = own.last(where: { $0.approval.isFor(plan: planDigest, hosts: hostsDigest) }) {
                let end = spent.approval.until.flatMap { $0 <= now ? $0 : nil }
                verdict =
                    end.map { .ended(by: spent.approval.owner, at: $0) }
                    ?? .used(by: spent.approval.owner, runs: spent.usedBy)
            } else if let stale = own.last?.approval {
                verdict = .void(by: stale.owner, changed: stale.planDigest == planDigest ? "hosts" : "plan")
            } else {
                verdict = .missing
            }
            if !verdict.letsStart, let point = plan.holdPoint(before: layer.name) { verdict = .atHoldPoint(point) }
            return LayerStanding(layer: layer.name, owners: owners, verdict: verdict)
        }
    }

    /// Whether a run may start.
    package var isComplete: Bool { layers.allSatisfy { $0.verdict.letsStart } }
}

extension ApprovalStanding.Verdict {
    /// Whether a run may start, as far as the layer decides it.
    package var letsStart: Bool {
        switch self {
        case .approved, .signed, .atHoldPoint: true
        case .void, .used, .ended, .missing, .lacking, .releaseLacking: false
        }
    }
}

extension Plan {
    /// The hold point at which a run waits before it changes anything of a layer. That of a batch is none: another batch may
    /// come before it.
    package func holdPoint(before layer: LayerName) -> HoldPoint? {
        (holdPoints ?? []).first { $0 == .run || $0 == .layer(layer) }
    }
}

extension Approval {
    /// Whether it covers exactly this plan over exactly these hosts.
    package func isFor(plan: Digest, hosts: Digest) -> Bool { planDigest == plan && hostsDigest == hosts }

    /// Whether it is too late for a first change.
    package func hasEnded(at now: WallTime) -> Bool { until.map { $0 <= now } ?? false }
}

extension RunDefinition {
    package func isOwner(_ owner: Owner, of layer: LayerName) -> Bool { owners[layer]?.contains(owner) == true }

    /// The layers for which no owner has approved this plan over these hosts, in plan order.
    package var unapprovedLayers: [LayerName] { unapprovedLayers { _ in true } }

    /// The approval that expired before anything was changed, for the first layer that has no other; nil if every layer
    /// has one.
    package func endedApproval(at now: WallTime) -> Approval? {
        guard let layer = unapprovedLayers(where: { !$0.hasEnded(at: now) }).first else { return nil }
        return approvals.last { isOwner($0.owner, of: layer) && $0.hasEnded(at: now) }
    }

    private func unapprovedLayers(where holds: (Approval) -> Bool) -> [LayerName] {
        plan.layers.map(\.name).filter { layer in
            !approvals.contains {
                isOwner($0.owner, of: layer) && $0.isFor(plan: planDigest, hosts: hostsDigest) && holds($0)
            }
        }
    }

    /// Whether an owner of a layer approved rollback together with the run, and that approval is still valid.
    package func foreseesRollback(of layer: LayerName, at wall: WallTime) -> Bool {
        approvals.contains { isOwner($0.owner, of: layer) && $0.rollbackUntil.map { $0 > wall } == true }
    }
}

extension Plan {
    /// The hosts that a run of this plan would touch, in inventory order, each with the plan's layers only.
    package func selectedHosts(of inventory: FleetInventory) -> [Host] {
        let excluded = Set(exclusions.map(\.host))
        let names = Set(layers.map(\.name))
        return inventory.hosts.compactMap { host in
            guard !excluded.contains(host.name) else { return nil }
            var selected = host
            selected.placements = host.placements.filter { names.contains($0.layer) }
            return selected.placements.isEmpty ? nil : selected
        }
    }
}

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
    }
    /// A layer, who may approve it, and whether one of them has.
    package struct LayerStanding: Codable, Hashable, Sendable {
        package var layer: LayerName
        package var owners: [Owner]
        package var verdict: Verdict
    }
    package var layers: [LayerStanding]

    /// Judges the approvals of a plan; every layer needs one of its owners.
    package init(
        plan: Plan, planDigest: Digest, hostsDigest: Digest, inventory: FleetInventory, approvals: [GivenApproval],
        at now: WallTime
    ) {
        let usable = approvals.usable(plan: planDigest, hosts: hostsDigest, at: now)
        layers = plan.layers.map { layer in
            let owners = inventory.layers.first { $0.name == layer.name }?.owners ?? []
            let own = approvals.filter { owners.contains($0.approval.owner) }
            let verdict: Verdict
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
            return LayerStanding(layer: layer.name, owners: owners, verdict: verdict)
        }
    }

    package var isComplete: Bool { layers.allSatisfy { $0.verdict.isApproved } }
}

extension ApprovalStanding.Verdict {
    package var isApproved: Bool {
        switch self {
        case .approved: true
        case .void, .used, .ended, .missing: false
        }
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

/// Whether the owners of a plan's layers have approved exactly this plan over exactly these hosts.
package struct ApprovalStanding: Codable, Hashable, Sendable {
    /// Whether a layer has what it needs to start.
    package enum Verdict: Codable, Hashable, Sendable {
        case approved(by: Owner, claimedBy: String)
        /// An approval exists, but for another plan content or other hosts.
        case void(by: Owner, changed: String)
        case missing
    }
    /// A layer, who may approve it, and whether one of them did.
    package struct LayerStanding: Codable, Hashable, Sendable {
        package var layer: LayerName
        package var owners: [Owner]
        package var verdict: Verdict
    }
    package var layers: [LayerStanding]

    /// Judges the approvals of a plan; every layer needs one of its owners.
    package init(
        plan: Plan, planDigest: Digest, hostsDigest: Digest, inventory: FleetInventory, approvals: [Approval]
    ) {
        layers = plan.layers.map { layer in
            let owners = inventory.layers.first { $0.name == layer.name }?.owners ?? []
            let own = approvals.filter { owners.contains($0.owner) }
            let verdict: Verdict
            if let valid = own.last(where: { $0.isFor(plan: planDigest, hosts: hostsDigest) }) {
                verdict = .approved(by: valid.owner, claimedBy: valid.claimedBy)
            } else if let stale = own.last {
                verdict = .void(by: stale.owner, changed: stale.planDigest == planDigest ? "hosts" : "plan")
            } else {
                verdict = .missing
            }
            return LayerStanding(layer: layer.name, owners: owners, verdict: verdict)
        }
    }

    package var isComplete: Bool {
        layers.allSatisfy { layer in
            switch layer.verdict {
            case .approved: true
            case .void, .missing: false
            }
        }
    }
}

extension Approval {
    /// Whether it is for exactly this plan over exactly these hosts.
    package func isFor(plan: Digest, hosts: Digest) -> Bool { planDigest == plan && hostsDigest == hosts }
}

extension RunDefinition {
    package func isOwner(_ owner: Owner, of layer: LayerName) -> Bool { owners[layer]?.contains(owner) == true }

    /// The layers of which no owner approved this plan over these hosts, in the plan's order.
    package var unapprovedLayers: [LayerName] {
        plan.layers.map(\.name).filter { layer in
            !approvals.contains { isOwner($0.owner, of: layer) && $0.isFor(plan: planDigest, hosts: hostsDigest) }
        }
    }

    /// Whether an owner of a layer approved going back together with the run, and that still holds.
    package func foreseesRollback(of layer: LayerName, at wall: WallTime) -> Bool {
        approvals.contains { isOwner($0.owner, of: layer) && $0.rollbackUntil.map { $0 > wall } == true }
    }
}

extension Plan {
    /// The hosts that a run of this plan would touch, in inventory order, each in the plan's layers only.
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

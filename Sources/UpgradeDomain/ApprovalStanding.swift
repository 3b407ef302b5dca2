/// Whether the owners of a plan's layers have approved exactly this plan over exactly these hosts.
public struct ApprovalStanding: Codable, Hashable, Sendable {
    public enum Verdict: Codable, Hashable, Sendable {
        case approved(by: Owner, claimedBy: String)
        /// An approval exists, but for another plan content or other hosts.
        case void(by: Owner, changed: String)
        case missing
    }
    public struct LayerStanding: Codable, Hashable, Sendable {
        public var layer: LayerName
        public var owners: [Owner]
        public var verdict: Verdict
    }
    public var layers: [LayerStanding]

    /// Judges the approvals of a plan; every layer needs one of its owners.
    public init(
        plan: Plan, planDigest: Digest, hostsDigest: Digest, inventory: FleetInventory, approvals: [Approval]
    ) {
        layers = plan.layers.map { layer in
            let owners = inventory.layers.first { $0.name == layer.name }?.owners ?? []
            let own = approvals.filter { owners.contains($0.owner) }
            let verdict: Verdict
            if let valid = own.last(where: { $0.planDigest == planDigest && $0.hostsDigest == hostsDigest }) {
                verdict = .approved(by: valid.owner, claimedBy: valid.claimedBy)
            } else if let stale = own.last {
                verdict = .void(by: stale.owner, changed: stale.planDigest == planDigest ? "hosts" : "plan")
            } else {
                verdict = .missing
            }
            return LayerStanding(layer: layer.name, owners: owners, verdict: verdict)
        }
    }

    public var isComplete: Bool {
        layers.allSatisfy { layer in
            switch layer.verdict {
            case .approved: true
            case .void, .missing: false
            }
        }
    }
}

extension Plan {
    /// The hosts that a run of this plan would touch, in inventory order, each in the plan's layers only.
    public func selectedHosts(of inventory: FleetInventory) -> [Host] {
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

import Approvals
package import UpgradeDomain

/// What a run started with, and everything derived from that alone.
package final class FrozenRun: Hashable, Sendable {
    package let definition: RunDefinition
    /// The batches of each layer of the plan, in order.
    let batches: [[Batch]]
    let order: PlacementOrder
    /// The placements of each host, in the order of the plan.
    let placements: [HostName: [Placement]]
    /// The first host of each layer. It runs the `once` steps.
    let firstHosts: [LayerName: HostName]
    /// The host that gives evidence for each layer with layer-scoped evidence.
    let vantages: [LayerName: HostName]
    /// What may run on each host, for a run that asks for approvals of it; nil for another one.
    let leaves: HostLeaves?
    /// For each layer, the longest allowed time between the ends of two captures of a placement that still counts as
    /// watched: the time until the next capture is due, plus the time that capture may take.
    package let watchLimits: [LayerName: Duration]

    init(_ definition: RunDefinition) {
        self.definition = definition
        let members = definition.plan.layers.map { ($0, definition.hostNames(in: $0.name)) }
        batches = members.map { layer, hosts in layer.batches(over: hosts) }
        firstHosts = Dictionary(
            definition.plan.layers.compactMap { layer in
                layer.firstHost(among: definition.hosts).map { (layer.name, $0) }
            }
        ) { $1 }
        vantages = Dictionary(
            members.compactMap { layer, hosts in
                definition.plan.layerVantages.first(where: hosts.contains).map { (layer.name, $0) }
            }
        ) { $1 }
        watchLimits = Dictionary(
            members.map { layer, _ in
                let sources = definition.plan.sources(in: layer)
                let look = sources.reduce(0) { $0 + $1.timeoutSeconds }
                // Requests with a fleet-wide rate limit are spaced, so a capture may have to wait for the captures of
                // all other hosts.
                let turns = sources.compactMap(\.fleetRequestsPerSecond).reduce(0) {
                    $0 + definition.hosts.count / $1 + 1
                }
                return (layer.name, .seconds(layer.sampleSeconds + look + turns))
            }
        ) { $1 }
        let isAsking = definition.authority != nil || definition.plan.holdPoints != nil
        leaves = isAsking ? HostLeaves(of: definition.plan, over: definition.hosts) : nil
        order = PlacementOrder(batches)
        placements = Dictionary(grouping: order.placements, by: \.host)
    }

    package static func == (left: FrozenRun, right: FrozenRun) -> Bool {
        left === right || left.definition == right.definition
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(definition.planDigest) }
}

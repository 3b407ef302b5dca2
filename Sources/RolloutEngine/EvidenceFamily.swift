public import UpgradeDomain

/// A surface as it is asked of one host: placeholders replaced, its part in the verdict named.
public struct SurfaceOrder: Hashable, Sendable {
    public var surface: Surface
    public var role: SurfaceRole

    /// The result codes that count as an answer.
    public var acceptedCodes: [Int] {
        switch surface.source {
        case .http(let http): http.acceptedStatuses
        case .command: [0]
        }
    }
}

extension RolloutState {
    /// What a capture of a subject consists of: the versions, the materialization check, the evidence family and
    /// the representative path for a placement; the family's surfaces of that scope for a layer or the fleet.
    public func surfaces(for order: CaptureOrder) -> [SurfaceOrder] {
        guard let host = hosts[order.host] else { return [] }
        switch order.subject {
        case .placement(let placement):
            guard let layer = plan.layer(placement.layer) else { return [] }
            let values = PlaceholderValues(host: host, layer: layer, run: definition.run)
            let versions = layer.components.map { component in
                SurfaceOrder(
                    surface: Surface(
                        name: Judgement.versionSurface(component.name), source: component.observe,
                        reader: Reader(shape: .value, items: component.pointer, key: component.name.rawValue)),
                    role: .version)
            }
            let check = SurfaceOrder(
                surface: Surface(
                    name: "materialization", source: .command(plan.materialization), reader: Reader(shape: .result)),
                role: .materialization)
            let family = plan.evidence.filter { $0.scope == .host }.map { SurfaceOrder(surface: $0, role: .family) }
            let path = SurfaceOrder(surface: plan.representativePath, role: .path)
            return (versions + [check] + family + [path]).map { expand($0, values) }
        case .layer(let name):
            guard let layer = plan.layer(name) else { return [] }
            let values = PlaceholderValues(host: host, layer: layer, run: definition.run)
            return plan.evidence.filter { $0.scope == .layer(vantage: order.host) }
                .map { expand(SurfaceOrder(surface: $0, role: .family), values) }
        case .fleet:
            guard let place = host.placements.first, let layer = plan.layer(place.layer) else { return [] }
            let values = PlaceholderValues(host: host, layer: layer, run: definition.run)
            return plan.evidence.filter { $0.scope == .fleet(vantage: order.host) }
                .map { expand(SurfaceOrder(surface: $0, role: .family), values) }
        }
    }

    private func expand(_ order: SurfaceOrder, _ values: PlaceholderValues) -> SurfaceOrder {
        var expanded = order
        switch order.surface.source {
        case .http(var http):
            http.url = values.expand(http.url)
            http.headers = http.headers.mapValues(values.expand)
            expanded.surface.source = .http(http)
        case .command(let command):
            expanded.surface.source = .command(values.expand(command))
        }
        return expanded
    }

    /// The capture orders for a subject: one per host that has something to take there.
    func captureOrder(_ subject: EvidenceSubject, _ purpose: CapturePurpose) -> CaptureOrder? {
        switch subject {
        case .placement(let placement):
            return CaptureOrder(subject: subject, purpose: purpose, host: placement.host)
        case .layer(let layer):
            return vantage(of: layer).map { CaptureOrder(subject: subject, purpose: purpose, host: $0) }
        case .fleet:
            return fleetVantage.map { CaptureOrder(subject: subject, purpose: purpose, host: $0) }
        }
    }

    /// The host that speaks for a layer; a layer-scoped surface counts for the layer its vantage host stands in.
    func vantage(of layer: LayerName) -> HostName? {
        for surface in plan.evidence {
            if case .layer(let vantage) = surface.scope, definition.hostNames(in: layer).contains(vantage) {
                return vantage
            }
        }
        return nil
    }

    var fleetVantage: HostName? {
        for surface in plan.evidence {
            if case .fleet(let vantage) = surface.scope { return vantage }
        }
        return nil
    }
}

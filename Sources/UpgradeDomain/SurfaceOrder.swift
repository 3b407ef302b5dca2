/// A surface as requested from one host: with placeholders replaced and its role in the verdict.
package struct SurfaceOrder: Hashable, Sendable {
    package var surface: Surface
    package var role: SurfaceRole

    package init(surface: Surface, role: SurfaceRole) {
        self.surface = surface
        self.role = role
    }

    /// The result codes that count as an answer.
    package var acceptedCodes: [Int] {
        switch surface.source {
        case .http(let http): http.acceptedStatuses
        case .command, .runtime, .tcp, .unit, .container: [0]
        }
    }
}

extension Plan {
    /// The surfaces in a capture of a subject. For a placement: the versions, the runtime proofs, the materialization
    /// check, the evidence family and the representative path. For a layer or the fleet: the family's surfaces of that
    /// scope.
    ///
    /// - Parameters:
    ///   - subject: what is captured.
    ///   - host: that captures it.
    ///   - run: nil before there is one; texts are ``OpenText`` then.
    ///   - isWanted: asked for each surface as the plan has it, before its placeholders are replaced.
    package func surfaces(
        of subject: EvidenceSubject, from host: Host, run: RunID?, where isWanted: (Surface) -> Bool = { _ in true }
    ) -> [SurfaceOrder] {
        switch subject {
        case .placement(let placement):
            guard let layer = layer(placement.layer) else { return [] }
            let versions = layer.components.map { component in
                SurfaceOrder(
                    surface: Surface(
                        name: component.versionSurface, source: component.observe,
                        reader: Reader(
                            shape: .value, format: component.format ?? .json, items: component.pointer,
                            key: [component.name.rawValue])),
                    role: .version)
            }
            let runtimes = layer.components.compactMap { component in
                component.runtime.map {
                    SurfaceOrder(
                        surface: Surface(
                            name: component.runtimeSurface, source: .runtime($0.source), reader: Reader(shape: .items)),
                        role: .runtime)
                }
            }
            let check = SurfaceOrder(
                surface: Surface(
                    name: "materialization", source: .command(materialization), reader: Reader(shape: .result)),
                role: .materialization)
            let path = SurfaceOrder(surface: representativePath, role: .path)
            let orders = versions + runtimes + [check] + family(of: layer).map(Plan.order) + [path]
            return expanded(orders.filter { isWanted($0.surface) }, layer, host, run)
        case .layer(let name):
            guard let layer = layer(name) else { return [] }
            let orders = surfaces(.layer(vantage: host.name))
            return expanded(orders.filter { isWanted($0.surface) }, layer, host, run)
        case .fleet:
            guard let place = host.placements.first, let layer = layer(place.layer) else { return [] }
            let orders = surfaces(.fleet(vantage: host.name))
            return expanded(orders.filter { isWanted($0.surface) }, layer, host, run)
        }
    }

    /// The subjects that a host gives evidence for, in plan order.
    package func subjects(from host: Host) -> [EvidenceSubject] {
        let own = layers.map(\.name).filter { layer in host.placements.contains { $0.layer == layer } }
        let placements = own.map { EvidenceSubject.placement(Placement(host: host.name, layer: $0)) }
        let layers = surfaces(.layer(vantage: host.name)).isEmpty ? [] : own.map(EvidenceSubject.layer)
        return placements + layers + (surfaces(.fleet(vantage: host.name)).isEmpty ? [] : [.fleet])
    }

    private func surfaces(_ scope: SurfaceScope) -> [SurfaceOrder] {
        evidence.filter { $0.scope == scope }.map(Plan.order)
    }

    private static func order(_ surface: Surface) -> SurfaceOrder { SurfaceOrder(surface: surface, role: .family) }

    private func expanded(
        _ orders: [SurfaceOrder], _ layer: PlanLayer, _ host: Host, _ run: RunID?
    ) -> [SurfaceOrder] {
        let values = PlaceholderValues(host: host, layer: layer, of: self, run: run)
        return orders.map { order in
            var expanded = order
            expanded.surface.source = order.surface.source.mapTexts(values.expand)
            return expanded
        }
    }
}

extension EvidenceSubject {
    /// Where the commands of a capture run on the host that takes it.
    package func workingDirectory(on host: Host) -> String {
        switch self {
        case .placement(let placement): host.workingDirectory(in: placement.layer)
        case .layer(let layer): host.workingDirectory(in: layer)
        case .fleet: host.placements.first?.workingDirectory ?? host.workingDirectory
        }
    }
}

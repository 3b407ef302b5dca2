package import UpgradeDomain

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
    /// The surfaces of a placement in a layer that are not captured with every sample, and how often they are.
    func intervals(in layer: PlanLayer) -> [(name: SurfaceName, seconds: Int)] {
        (family(of: layer) + [representativePath]).compactMap { surface in
            surface.everySeconds.map { (surface.name, $0) }
        }
    }

    /// All sources that a capture of a placement in a layer reads.
    func sources(in layer: PlanLayer) -> [SurfaceSource] {
        layer.components.map(\.observe) + layer.components.compactMap { $0.runtime.map { .runtime($0.source) } }
            + [.command(materialization)] + family(of: layer).map(\.source)
            + [representativePath.source]
    }
}

/// What a plan requests from a host, for each subject.
package struct EvidenceFamily: Sendable {
    package let plan: Plan
    package let run: RunID

    package init(plan: Plan, run: RunID) {
        self.plan = plan
        self.run = run
    }

    /// The surfaces in a capture of a subject. For a placement: the versions, the runtime proofs, the materialization
    /// check, the evidence family and the representative path. For a layer or the fleet: the family's surfaces of that
    /// scope.
    package func surfaces(of subject: EvidenceSubject, from host: Host) -> [SurfaceOrder] {
        switch subject {
        case .placement(let placement):
            guard let layer = plan.layer(placement.layer) else { return [] }
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
                            name: Judgement.runtimeSurface(component.name), source: .runtime($0.source),
                            reader: Reader(shape: .items)),
                        role: .runtime)
                }
            }
            let check = SurfaceOrder(
                surface: Surface(
                    name: "materialization", source: .command(plan.materialization), reader: Reader(shape: .result)),
                role: .materialization)
            let path = SurfaceOrder(surface: plan.representativePath, role: .path)
            return expanded(
                versions + runtimes + [check] + plan.family(of: layer).map(EvidenceFamily.order) + [path], layer, host)
        case .layer(let name):
            guard let layer = plan.layer(name) else { return [] }
            return expanded(family(.layer(vantage: host.name)), layer, host)
        case .fleet:
            guard let place = host.placements.first, let layer = plan.layer(place.layer) else { return [] }
            return expanded(family(.fleet(vantage: host.name)), layer, host)
        }
    }

    /// Where the commands of a subject run on the host that captures it.
    package static func workingDirectory(of subject: EvidenceSubject, on host: Host) -> String {
        switch subject {
        case .placement(let placement): host.workingDirectory(in: placement.layer)
        case .layer(let layer): host.workingDirectory(in: layer)
        case .fleet: host.placements.first?.workingDirectory ?? host.workingDirectory
        }
    }

    /// The files on a host that hold secrets of the plan, each once. Some may be missing on the host.
    package func secretFiles(on host: Host) -> [String] {
        let orders = subjects(from: host).flatMap { surfaces(of: $0, from: host) }
        let files = orders.flatMap { order -> [String] in
            if case .http(let http) = order.surface.source { http.secretHeaders.values.map(\.file) } else { [] }
        }
        return Set(files).sorted()
    }

    /// The subjects that a host gives evidence for, in plan order.
    package func subjects(from host: Host) -> [EvidenceSubject] {
        let own = plan.layers.map(\.name).filter { layer in host.placements.contains { $0.layer == layer } }
        let placements = own.map { EvidenceSubject.placement(Placement(host: host.name, layer: $0)) }
        let layers = family(.layer(vantage: host.name)).isEmpty ? [] : own.map(EvidenceSubject.layer)
        return placements + layers + (family(.fleet(vantage: host.name)).isEmpty ? [] : [.fleet])
    }

    /// Why a capture cannot be the baseline of a run; nil if it can.
    package func baselineProblem(of capture: Capture, at wall: WallTime) -> Problem? {
        Judgement(plan: plan, subject: capture.subject, wall: wall).baseline(capture, allowsTarget: false).problem
    }

    private func family(_ scope: SurfaceScope) -> [SurfaceOrder] {
        plan.evidence.filter { $0.scope == scope }.map(EvidenceFamily.order)
    }

    private static func order(_ surface: Surface) -> SurfaceOrder { SurfaceOrder(surface: surface, role: .family) }

    private func expanded(_ orders: [SurfaceOrder], _ layer: PlanLayer, _ host: Host) -> [SurfaceOrder] {
        let values = PlaceholderValues(host: host, layer: layer, of: plan, run: run)
        return orders.map { order in
            var expanded = order
            expanded.surface.source = order.surface.source.mapTexts(values.expand)
            return expanded
        }
    }
}

extension RolloutState {
    /// See ``EvidenceFamily/secretFiles(on:)``.
    package func secretFiles(on host: Host) -> [String] {
        EvidenceFamily(plan: plan, run: definition.run).secretFiles(on: host)
    }

    /// The surfaces that an order requests from its host; none if the host takes no part.
    package func surfaces(for order: CaptureOrder) -> [SurfaceOrder] {
        guard let host = hosts[order.host] else { return [] }
        let all = EvidenceFamily(plan: plan, run: definition.run).surfaces(of: order.subject, from: host)
        return order.omits.isEmpty ? all : all.filter { !order.omits.contains($0.surface.name) }
    }

    /// The capture order for a subject; nil if there is nothing to capture.
    func captureOrder(
        _ subject: EvidenceSubject, _ purpose: CapturePurpose, omitting omits: [SurfaceName] = []
    ) -> CaptureOrder? {
        switch subject {
        case .placement(let placement):
            return CaptureOrder(subject: subject, purpose: purpose, host: placement.host, omits: omits)
        case .layer(let layer):
            return frozen.vantages[layer].map { CaptureOrder(subject: subject, purpose: purpose, host: $0) }
        case .fleet:
            return fleetVantage.map { CaptureOrder(subject: subject, purpose: purpose, host: $0) }
        }
    }

    var fleetVantage: HostName? {
        for surface in plan.evidence {
            if case .fleet(let vantage) = surface.scope { return vantage }
        }
        return nil
    }
}

extension Plan {
    /// The hosts that give evidence for a layer. Each counts for the layers it belongs to.
    var layerVantages: [HostName] {
        evidence.compactMap { surface in if case .layer(let vantage) = surface.scope { vantage } else { nil } }
    }
}

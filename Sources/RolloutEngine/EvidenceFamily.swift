package import UpgradeDomain

extension Plan {
    /// The surfaces of a placement in a layer that are not captured with every sample, and how often they are.
    func intervals(in layer: PlanLayer) -> [(name: SurfaceName, seconds: Int)] {
        (family(of: layer) + [representativePath]).compactMap { surface in
            surface.everySeconds.map { (surface.name, $0) }
        }
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

    /// See ``Plan/surfaces(of:from:run:)``.
    package func surfaces(of subject: EvidenceSubject, from host: Host) -> [SurfaceOrder] {
        plan.surfaces(of: subject, from: host, run: run)
    }

    /// The files on a host that hold secrets of the plan, each once. Some may be missing on the host.
    package func secretFiles(on host: Host) -> [String] {
        let orders = plan.subjects(from: host).flatMap { subject in
            plan.surfaces(of: subject, from: host, run: run) { !$0.source.secretHeaders.isEmpty }
        }
        let files = orders.flatMap { $0.surface.source.secretHeaders.values.map(\.file) }
        return Set(files).sorted()
    }

    /// Why a capture cannot be the baseline of a run; nil if it can.
    package func baselineProblem(of capture: Capture, at wall: WallTime) -> Problem? {
        Judgement(plan: plan, subject: capture.subject, wall: wall).baseline(capture, allowsTarget: false).problem
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

extension SurfaceSource {
    /// Of an HTTP source; other sources have none.
    fileprivate var secretHeaders: [String: SecretReference] {
        if case .http(let http) = self { http.secretHeaders } else { [:] }
    }
}

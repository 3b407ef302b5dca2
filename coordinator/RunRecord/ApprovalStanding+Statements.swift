import Approvals
import UpgradeDomain

/// What statements say about a run of a plan that starts now.
extension ApprovalStanding {
    /// - Parameters:
    ///   - statements: of a ledger with a policy.
    ///   - hosts: the selected ones.
    init(of plan: Plan, by statements: PlanStatements, over hosts: [Host], at now: WallTime) {
        let policy = statements.authority.policy
        let layers = plan.layers.map { layer in
            LayerStanding(
                layer: layer.name, owners: policy?.layers[layer.name]?.owners ?? [],
                verdict: statements.verdict(on: layer, of: plan, over: hosts, at: now))
        }
        self.init(
            layers: layers, holdPoints: statements.points(of: plan, over: hosts, at: now), policy: policy?.version ?? 0)
    }
}

extension PlanStatements {
    fileprivate func verdict(
        on layer: PlanLayer, of plan: Plan, over hosts: [Host], at now: WallTime
    ) -> ApprovalStanding.Verdict {
        switch authority.basis {
        case .unverifiable(let words): return .lacking("the ledger's policy does not verify: \(words)", asked: [])
        case .policy(let chain) where chain.current.layers[layer.name] == nil:
            return .lacking(
                "version \(chain.current.version) of the policy names no owners of layer \(layer.name)", asked: [])
        case .policy(let chain):
            if let words = chain.current.releaseLack(of: layer) { return .releaseLacking(words) }
        case .claims: break
        }
        switch permission(of: hosts.placements(in: layer.name), in: layer, at: nil, now) {
        case .given(let people): return .signed(by: people)
        case .lacking(let lack):
            if let point = plan.holdPoint(before: layer.name) { return .atHoldPoint(point) }
            return .lacking(
                lack.sentence(of: layer.name),
                asked: lack.needsAccounts ? [] : lack.asked.filter { !lack.have.contains($0) })
        }
    }

    /// Whether each hold point is open; nil for a plan without them.
    func points(of plan: Plan, over hosts: [Host], at now: WallTime) -> [ApprovalStanding.PointStanding]? {
        plan.holdPoints.map { points in
            points.map { point in
                var people: Set<Owner> = []
                for layer in plan.layers {
                    let placements = hosts.placements(in: layer.name, at: point, of: plan)
                    switch permission(of: placements, in: layer, at: point, now) {
                    case .given(let names): people.formUnion(names)
                    case .lacking(let lack):
                        return ApprovalStanding.PointStanding(
                            point: point, givenBy: lack.have, lacking: lack.sentence(of: layer.name))
                    }
                }
                return ApprovalStanding.PointStanding(point: point, givenBy: people.sorted(), lacking: nil)
            }
        }
    }

    /// Whether the first change of all of these is permitted; if not, for the first one for which it is not.
    private func permission(
        of placements: [Placement], in layer: PlanLayer, at point: HoldPoint?, _ now: WallTime
    ) -> Permission {
        var people: Set<Owner> = []
        for placement in placements {
            let ask = PermissionAsk(
                .upgrade, of: placement, isOneWay: layer.rollback.boundary == .oneWay, holdPoint: point)
            switch authority.permission(for: ask, at: now, leaf: { leaves[placement.host] }) {
            case .given(let names): people.formUnion(names)
            case .lacking(var lack):
                lack.because += reasons(in: layer.name)
                return .lacking(lack)
            }
        }
        return .given(by: people.sorted())
    }
}

extension PlanStatements {
    /// Why approvals of a layer can not serve a run that starts now: those with the same reason together.
    private func reasons(in layer: LayerName) -> [String] {
        var names: [String: [String]] = [:]
        let own = unusable.filter { $0.statement.layers.contains(layer) }
        for (statement, words) in own.suffix(4) { names[words, default: []].append(statement.id.short) }
        return names.sorted { $0.key < $1.key }.map { "\($0.value.joined(separator: ", ")): \($0.key)" }
    }
}

extension [Host] {
    fileprivate func placements(in layer: LayerName) -> [Placement] {
        filter { host in host.placements.contains { $0.layer == layer } }
            .map { Placement(host: $0.name, layer: layer) }
    }

    /// Those that wait at a hold point.
    fileprivate func placements(in layer: LayerName, at point: HoldPoint, of plan: Plan) -> [Placement] {
        let own = placements(in: layer)
        switch point {
        case .run: return own
        case .layer(let name): return name == layer ? own : []
        case .batch(let name, let index):
            guard name == layer, let batches = plan.layer(layer)?.batches(over: own.map(\.host)),
                batches.indices.contains(index)
            else { return [] }
            return batches[index].placements
        }
    }
}

package import Approvals
import ContentDigest
package import Ledger
package import UpgradeDomain

/// The approvals of a plan for its hosts in an inventory, and their current status.
package struct PlanApprovals: Sendable {
    package var standing: ApprovalStanding
    /// The claims that a run starts with; complete if the standing is, and empty where a policy asks for signatures.
    package var usable: [Approval]
    /// What was signed, or claimed at hold points.
    package var statements: PlanStatements
    /// The runs of the plan that this is based on, each with the number of its last event.
    package var judgedBy: [RunID: UInt64]
}

extension Ledger {
    /// The status of a plan's approvals for an inventory. Claims for an earlier version of the plan (same name,
    /// another digest) are void. The events of the runs say which approvals were used.
    ///
    /// - Parameters:
    ///   - starter: the account that starts a run; nil if nobody does now.
    ///   - predecessor: the run that it succeeds.
    package func approvals(
        of stored: StoredPlan, over inventory: FleetInventory, startedBy starter: String? = nil,
        succeeding predecessor: RunID? = nil, at now: WallTime
    ) async throws -> PlanApprovals {
        let judgedBy = try heads(ofRunsOf: stored.digest)
        let given = try approvals(ofPlansNamed: stored.plan.name)
        let statements = try statements(ofPlan: stored.digest)
        let uses = try uses(ofPlan: stored.digest, approvals: given, statements: statements)
        let judged = try judge(
            stored, inventory, starter, succeeding: predecessor, statements, uses, at: now)
        let hosts = stored.plan.selectedHosts(of: inventory)
        if judged.isSigned {
            return PlanApprovals(
                standing: ApprovalStanding(of: stored.plan, by: judged, over: hosts, at: now), usable: [],
                statements: judged, judgedBy: judgedBy)
        }
        let digest = try Digest.canonical(of: hosts)
        let approvals = given.map { GivenApproval($0, usedBy: uses.claims[$0] ?? []) }
        var standing = ApprovalStanding(
            plan: stored.plan, planDigest: stored.digest, hostsDigest: digest, inventory: inventory,
            approvals: approvals, at: now)
        standing.holdPoints = judged.points(of: stored.plan, over: hosts, at: now)
        return PlanApprovals(
            standing: standing, usable: approvals.usable(plan: stored.digest, hosts: digest, at: now),
            statements: judged, judgedBy: judgedBy)
    }
}

/// The statements about a plan and its hosts: who judges them, what a run could start with now, and why others do not
/// count.
package struct PlanStatements: Sendable {
    /// Has taken what counts for a run that starts now.
    package var authority: Authority
    /// What a run records at its start; nil where approvals are claims.
    package var recorded: RunAuthority?
    /// All statements about the plan.
    package var stored: [StoredStatement]
    /// Approvals that can not serve such a run, the last one last, each with why.
    package var unusable: [(statement: Statement, words: String)] = []
    package var uses: PlanUses
    /// The leaves of the selected hosts.
    package var leaves: [HostName: Digest]

    /// Whether a policy says whose signatures count. One that does not verify lets nobody's count.
    package var isSigned: Bool {
        switch authority.basis {
        case .claims: false
        case .policy, .unverifiable: true
        }
    }
}

extension Ledger {
    /// Judges the statements of a plan for its hosts in an inventory.
    ///
    /// - Parameter starter: the account that starts a run; nil if nobody does now.
    package func judgedStatements(
        of plan: StoredPlan, over inventory: FleetInventory, starter: String?, at now: WallTime
    ) throws -> PlanStatements {
        let statements = try statements(ofPlan: plan.digest)
        let uses = try uses(
            ofPlan: plan.digest, approvals: try approvals(ofPlansNamed: plan.plan.name), statements: statements)
        return try judge(plan, inventory, starter, succeeding: nil, statements, uses, at: now)
    }

    func judge(
        _ plan: StoredPlan, _ inventory: FleetInventory, _ starter: String?, succeeding predecessor: RunID?,
        _ statements: [StoredStatement], _ uses: PlanUses, at now: WallTime
    ) throws -> PlanStatements {
        let policies = try policies()
        var scope = AuthorityScope(
            ledger: id, run: nil, planDigest: plan.digest, planName: plan.plan.name,
            releases: plan.plan.releaseDigests, owners: inventory.owners, author: plan.addedBy, starter: starter)
        let basis = try basis(policies)
        if case .policy(let chain) = basis { scope.owners = chain.current.owners }
        // Computed once, and only if a statement could name them.
        let isAsked = !statements.isEmpty || !policies.isEmpty
        let hosts = plan.plan.selectedHosts(of: inventory)
        var judged = PlanStatements(
            authority: Authority(scope, basis), recorded: nil, stored: statements, uses: uses,
            leaves: isAsked ? try HostLeaves(of: plan.plan, over: hosts).digests() : [:])
        var usable: [SignedStatement] = []
        for own in statements {
            guard let statement = try? Statement(signedText: own.signed.text), statement.run == nil else { continue }
            do {
                if let problem = uses.problem(with: statement, succeeding: predecessor) { throw problem }
                try judged.authority.take(own.signed)
                if !statement.isForLater(at: now) { usable.append(own.signed) }
            } catch {
                if statement.purpose == .approve { judged.unusable.append((statement, Authority.words(of: error))) }
            }
        }
        if let first = policies.first {
            judged.recorded = RunAuthority(
                trusted: first.fingerprint, policies: policies.map(\.signed), statements: usable, author: plan.addedBy,
                starter: starter ?? "")
        }
        return judged
    }

    /// A policy that was removed or replaced in the file of the ledger leaves nobody whose word counts.
    private func basis(_ policies: [StoredPolicy]) throws -> Authority.Basis {
        if let loss = try policyLoss(policies) { return .unverifiable(loss.words) }
        guard let first = policies.first else { return .claims }
        do throws(PolicyProblem) {
            return .policy(try PolicyChain(policies.map(\.signed), of: id, trusting: first.fingerprint))
        } catch {
            return .unverifiable(error.words)
        }
    }
}

extension Statement {
    /// Whether it is for a run that starts later: a run that starts now must not use it up.
    package func isForLater(at now: WallTime) -> Bool { now < notBefore.time && holdPoints.isEmpty }
}

extension Policy {
    /// Who owns each layer.
    package var owners: [LayerName: [Owner]] { layers.mapValues(\.owners) }
}

extension FleetInventory {
    /// Who owns each layer.
    package var owners: [LayerName: [Owner]] {
        Dictionary(layers.map { ($0.name, $0.owners) }) { first, _ in first }
    }
}

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

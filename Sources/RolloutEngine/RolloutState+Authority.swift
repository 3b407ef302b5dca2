package import Approvals
import OperatorCommands
package import UpgradeDomain

/// Statements decide what a run may do: signed ones where a policy rules it, claims at the hold points of other runs.
extension RolloutState {
    /// Whether only signed statements count.
    package var isSigned: Bool { definition.authority != nil }

    /// The overrides that no owner has acknowledged, in the order of the record.
    package var openOverrides: [GuardrailOverride] { overrides.filter(\.isOpen) }

    // MARK: Forward

    /// The hold points that must be opened before a placement changes, in the order of a run.
    package func holdPoints(before placement: Placement) -> [HoldPoint] {
        (plan.holdPoints ?? []).filter { point in
            switch point {
            case .run: true
            case .layer(let layer): layer == placement.layer
            case .batch(let layer, let index):
                layer == placement.layer && place(of: placement)?.batch == index
            }
        }
    }

    /// What a placement must wait for before its next step begins; nil if it is permitted.
    func approvalWait(before placement: Placement, at wall: WallTime) -> ApprovalWait? {
        let points = holdPoints(before: placement)
        let isAsked = isSigned || !points.isEmpty || (plan.holdPoints != nil && isUnapproved(placement.layer))
        guard isAsked else { return nil }
        for point in points + [nil] {
            guard case .lacking(let lack) = forwardPermission(of: placement, at: point, wall) else { continue }
            return ApprovalWait(
                holdPoint: point, placement: placement, boundary: boundary, asked: lack.asked,
                lacking: lack.sentence(of: placement.layer))
        }
        return nil
    }

    private func forwardPermission(of placement: Placement, at point: HoldPoint?, _ wall: WallTime) -> Permission {
        if !isSigned, point == nil, !isUnapproved(placement.layer) { return .given(by: []) }
        let state = placements[placement]
        var ask = PermissionAsk(.upgrade, of: placement, isOneWay: isOneWay(placement.layer), holdPoint: point)
        // The steps after the first one belong to the attempt that was permitted.
        ask.attempts = state?.stepsDone == 0 ? state.map { Array($0.attemptsBegun.values) } ?? [] : []
        return authority.permission(for: ask, at: wall) { leaf(of: placement.host) }
    }

    /// Whether no claim of the start covers a layer.
    private func isUnapproved(_ layer: LayerName) -> Bool { definition.unapprovedLayers.contains(layer) }

    private func isOneWay(_ layer: LayerName) -> Bool { plan.layer(layer)?.rollback.boundary == .oneWay }

    /// The leaf of what may run on a host now.
    package func leaf(of host: HostName) -> Digest? {
        guard let present = hosts[host] else { return nil }
        let leaves = frozen.leaves ?? HostLeaves(of: plan, over: definition.hosts)
        return try? leaves.digest(of: present)
    }

    mutating func take(_ wait: ApprovalWait, _ moment: Moment) {
        // Who is asked since when does not change with what others have given meanwhile.
        let known = self.wait.flatMap { pending in
            pending.wait.holdPoint == wait.holdPoint && pending.wait.placement == wait.placement ? pending.since : nil
        }
        self.wait = PendingApproval(wait: wait, since: known ?? moment.wall)
        // What was looked at before the wait is looked at again after it.
        for (placement, state) in placements.all where state.phase == .checked {
            placements[placement]?.enter(.waiting, moment)
        }
    }

    /// The wait is over once what it waits for may go on, or has left the run.
    mutating func endWait(_ moment: Moment) {
        guard let wait = wait?.wait else { return }
        let isGone = isRetired(wait.placement.host) || !activePlacements.contains(wait.placement) || isHeld || isAborted
        guard isGone || approvalWait(before: wait.placement, at: moment.wall) == nil else { return }
        self.wait = nil
        advanceMark = moment.monotonic
    }

    // MARK: Statements

    /// Why a statement does not count for this run; nil if it does.
    func presentRefusal(_ signed: SignedStatement) -> RequestRefusal? {
        var tried = authority
        do {
            try tried.take(signed)
            return nil
        } catch {
            return RequestRefusal(Authority.words(of: error), remedy: "look at what the run asks for", next: look)
        }
    }

    /// Applies a statement as it was recorded. One that does not count, because another build accepted it, changes nothing.
    mutating func take(_ signed: SignedStatement, _ moment: Moment) {
        guard (try? authority.take(signed)) != nil else { return }
        guard let given = authority.given.last(where: { $0.signed.text == signed.text }),
            given.statement.action == .acknowledge
        else { return }
        for index in overrides.indices where overrides[index].isOpen {
            // It was seen before it was signed.
            guard given.statement.issuedAt >= SignedTime(overrides[index].at) else { continue }
            overrides[index].acknowledgedBy = acknowledgement(of: overrides[index], at: moment.wall) ?? []
        }
    }

    /// The owners who have seen an override; nil if they do not suffice for each placement.
    private func acknowledgement(of override: GuardrailOverride, at wall: WallTime) -> [Owner]? {
        var people: Set<Owner> = []
        for placement in override.placements {
            var ask = PermissionAsk(.acknowledge, of: placement)
            ask.doneBy = override.owner
            guard case .given(let by) = authority.permission(for: ask, at: wall, leaf: { leaf(of: placement.host) })
            else { return nil }
            people.formUnion(by)
        }
        return people.sorted()
    }

    // MARK: Recovery

    /// What a request asks permission for; empty if it needs none.
    func asks(of action: RequestedAction) -> [PermissionAsk] {
        switch action {
        case .rerun(let host, _, let step):
            guard let placement = rerunPlacement(of: host, having: step) else { return [] }
            return [recoveryAsk(.rerun, of: placement, from: approvedStep(of: host, step))]
        case .rollback(let scope, let owner):
            return rollbackTargets(scope).map { recoveryAsk(owner == nil ? .rollback : .breakGlass, of: $0) }
        case .signOff(let hosts, _):
            return placementsAwaitingSignOff.filter { hosts.contains($0.host) }.map { recoveryAsk(.signOff, of: $0) }
        case .retire(let host, _): return placements(of: host).map { recoveryAsk(.retire, of: $0) }
        case .finalize:
            // The end of the rollback window takes the way back of these layers away.
            return touchedPlacements.filter { plan.layer($0.layer)?.rollback.boundary == .untilFinalize }
                .map { recoveryAsk(.finalize, of: $0) }
        case .pause, .resume, .abort, .recheck, .rebind, .cancel, .supersede, .approveRecovery, .present: return []
        }
    }

    private func recoveryAsk(
        _ action: StatementAction, of placement: Placement, from step: StepName? = nil
    ) -> PermissionAsk {
        let state = placements[placement]
        let attempts: [WallTime] =
            switch action {
            case .rollback, .breakGlass: state.map { Array($0.rollbacksBegun.values) } ?? []
            case .upgrade, .rerun, .retire, .finalize, .signOff, .acknowledge, .revoke:
                state?.recoveriesBegun[action] ?? []
            }
        return PermissionAsk(
            action, of: placement, isOneWay: isOneWay(placement.layer), attempts: attempts,
            boundary: boundary.description, from: step)
    }

    /// Notes that a recovery was requested, so that a statement permits no more of its kind than it says.
    mutating func noteRecovery(_ action: RequestedAction, _ moment: Moment) {
        guard isSigned else { return }
        for ask in asks(of: action) {
            placements[ask.placement]?.recoveriesBegun[ask.action, default: []].append(moment.wall)
        }
    }

    /// A layer for which a request is not permitted.
    struct LayerLack {
        var layer: LayerName
        /// What is missing, in words.
        var words: String
        /// Who may be asked first.
        var asked: Owner?
    }

    /// The first layer for which a request is not permitted; nil if it is permitted.
    func lack(for action: RequestedAction, at wall: WallTime) -> LayerLack? {
        let asks = asks(of: action)
        var people: Set<Owner> = []
        for ask in asks {
            let layer = ask.placement.layer
            switch authority.permission(for: ask, at: wall, leaf: { leaf(of: ask.placement.host) }) {
            case .lacking(let lack):
                let next = lack.asked.first { !lack.have.contains($0) }
                return LayerLack(layer: layer, words: lack.sentence(of: layer), asked: next)
            case .given(let by): people.formUnion(by)
            }
        }
        // Whom the record names must have said so.
        guard let owner = action.decider, let first = asks.first, !people.contains(owner) else { return nil }
        let names = people.sorted().map(\.rawValue).joined(separator: ", ")
        return LayerLack(layer: first.placement.layer, words: "\(owner) has not signed it; \(names) has", asked: owner)
    }

    /// Why another run may not take over: it would end the rollback window of what this run has changed, which takes what
    /// finalizing takes, unless owners have approved that the other run changes these placements too.
    ///
    /// - Parameter approved: whether owners have approved that the other run changes a placement.
    package func takeoverRefusal(at wall: WallTime, approved: (Placement) -> Bool) -> RequestRefusal? {
        guard isSigned, let lack = lack(for: .finalize, at: wall),
            asks(of: .finalize).contains(where: { !approved($0.placement) })
        else { return nil }
        return RequestRefusal(
            "it would end the rollback window of \(definition.run), and its own change is not approved: \(lack.words)",
            remedy: "let the owners approve the plan first",
            next: finalizeRefusal == nil ? .permit(.finalize, run: definition.run, owner: lack.asked) : nil)
    }

    /// Why an owner can not acknowledge any override now; nil if they can.
    package func acknowledgementRefusal(by owner: Owner) -> RequestRefusal? {
        switch status {
        case .finalized, .cancelled, .superseded:
            return RequestRefusal(
                "\(definition.run) is closed, and nothing is recorded in it any more", remedy: "look at its status",
                next: look)
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .paused, .held, .rollingBack, .rolledBack,
            .aborted, .verified, .verifiedExcept:
            break
        }
        guard openOverrides.allSatisfy({ !acknowledgers(of: $0).contains(owner) && $0.owner == owner }),
            let other = openOverrides.first.flatMap({ acknowledgers(of: $0).first })
        else { return nil }
        return RequestRefusal(
            "\(owner) overrode the guardrails, and another owner must have seen it", remedy: "ask another owner",
            next: .acknowledgeOverride(run: definition.run, owner: other))
    }

    /// The owners who may acknowledge an override, those of the highest layer first: whoever did it only where a layer has
    /// no other owner.
    package func acknowledgers(of override: GuardrailOverride) -> [Owner] {
        let layers = plan.layers.map(\.name).filter { layer in override.placements.contains { $0.layer == layer } }
        return layers.reversed().flatMap { layer in
            let owners = authority.policy?.layers[layer]?.owners ?? definition.owners[layer] ?? []
            let others = owners.filter { $0 != override.owner }
            return others.isEmpty ? owners : others
        }
    }

    /// The statement that would permit a request, for signing; nil for requests that need none.
    ///
    /// - Parameters:
    ///   - id: 128 random bits.
    ///   - seconds: how long it is valid.
    package func statement(
        for action: RequestedAction, id: StatementID, issuedAt now: WallTime, validForSeconds seconds: Int
    ) -> Statement? {
        let asks = asks(of: action)
        guard let first = asks.first else { return nil }
        let hosts = definition.hosts.map(\.name).filter { host in asks.contains { $0.placement.host == host } }
        let layers = plan.layers.map(\.name).filter { layer in asks.contains { $0.placement.layer == layer } }
        return recovery(first.action, hosts, layers, from: first.from, id: id, now, seconds)
    }

    /// The statement by which an owner acknowledges every override; nil if there is none.
    package func acknowledgement(
        id: StatementID, issuedAt now: WallTime, validForSeconds seconds: Int
    ) -> Statement? {
        let placements = openOverrides.flatMap(\.placements)
        guard !placements.isEmpty else { return nil }
        let hosts = definition.hosts.map(\.name).filter { host in placements.contains { $0.host == host } }
        let layers = plan.layers.map(\.name).filter { layer in placements.contains { $0.layer == layer } }
        return recovery(.acknowledge, hosts, layers, from: nil, id: id, now, seconds)
    }

    private func recovery(
        _ action: StatementAction, _ hosts: [HostName], _ layers: [LayerName], from step: StepName?, id: StatementID,
        _ now: WallTime, _ seconds: Int
    ) -> Statement? {
        let leaves = leaves(of: hosts)
        guard let root = HostTree(leaves)?.root else { return nil }
        let purpose: Purpose = action == .breakGlass ? .breakGlass : action == .acknowledge ? .acknowledge : .recover
        var statement = Statement(
            purpose, action, id: id, ledger: definition.ledger, policy: authority.policy?.version ?? 0,
            plan: definition.planDigest, planName: plan.name, hostsRoot: root, hosts: leaves.count, layers: layers,
            issuedAt: now, notAfter: now.advanced(bySeconds: seconds))
        statement.releases = authority.scope.releases
        statement.run = definition.run
        statement.boundary = action == .acknowledge ? nil : boundary.description
        statement.named = hosts
        statement.from = step
        return statement
    }

    /// The leaf of each of these hosts.
    package func leaves(of hosts: [HostName]) -> [HostName: Digest] {
        Dictionary(uniqueKeysWithValues: hosts.compactMap { host in leaf(of: host).map { (host, $0) } })
    }
}

/// What a run waits for, and since when.
package struct PendingApproval: Hashable, Sendable {
    package let wait: ApprovalWait
    package let since: WallTime
}

extension RequestedAction {
    /// The owner in whose name it is decided; nil where none is named.
    package var decider: Owner? {
        switch self {
        case .rollback(_, let owner), .rerun(_, let owner, _): owner
        case .signOff(_, let owner), .retire(_, let owner): owner
        case .pause, .resume, .abort, .recheck, .rebind, .finalize, .cancel, .supersede, .approveRecovery, .present: nil
        }
    }
}

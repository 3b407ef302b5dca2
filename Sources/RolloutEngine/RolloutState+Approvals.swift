import Approvals
import OperatorCommands
package import UpgradeDomain

/// Recovery changes hosts, so it needs the approval of their owners. They give it with the run's approval until a given
/// time, or for this boundary, these hosts and this action.
extension RolloutState {
    /// What an owner would have to approve for an action; nil for actions that need no approval.
    package func recoveryApproval(of action: RequestedAction, by owner: Owner) -> RecoveryApproval? {
        if isSigned { return nil }
        return switch action {
        case .rerun(let host, _, let step):
            RecoveryApproval(
                owner: owner, action: .rerun, boundary: boundary, hosts: [host], from: approvedStep(of: host, step))
        case .rollback(let scope, _):
            RecoveryApproval(
                owner: owner, action: .rollback, boundary: boundary,
                hosts: definition.hosts.map(\.name).filter { host in
                    rollbackTargets(scope).contains { $0.host == host && definition.isOwner(owner, of: $0.layer) }
                })
        case .pause, .resume, .abort, .recheck, .signOff, .rebind, .retire, .finalize, .cancel, .supersede,
            .approveRecovery, .present:
            nil
        }
    }

    /// The layers whose owners have not yet approved an action.
    package func layersWithoutApproval(for action: RequestedAction, at wall: WallTime) -> [LayerName] {
        if isSigned { return lack(for: action, at: wall).map { [$0.layer] } ?? [] }
        switch action {
        case .rerun(let host, let signedOffBy, let step):
            guard signedOffBy == nil, let placement = rerunPlacement(of: host, having: step) else { return [] }
            return isApproved(.rerun, [placement], from: approvedStep(of: host, step), at: wall)
                ? [] : [placement.layer]
        case .rollback(let scope, let breakGlass):
            let targets = rollbackTargets(scope)
            return plan.layers.map(\.name).filter { layer in
                let own = targets.filter { $0.layer == layer }
                let isForced = breakGlass.map { definition.isOwner($0, of: layer) } ?? false
                return !own.isEmpty && !isForced && !isApproved(.rollback, own, at: wall)
            }
        case .pause, .resume, .abort, .recheck, .signOff, .rebind, .retire, .finalize, .cancel, .supersede,
            .approveRecovery, .present:
            return []
        }
    }

    /// The step that an approval of a rerun names. If several steps would run, it is the first, so that the approval
    /// never covers more steps than it was given for. Nil for the failed step alone.
    func approvedStep(of host: HostName, _ step: StepName?) -> StepName? {
        if let step { return step }
        let steps = rerunSteps(of: host)
        return steps.count > 1 ? steps.first : nil
    }

    private func isApproved(
        _ action: RecoveryApproval.Action, _ placements: [Placement], from step: StepName? = nil, at wall: WallTime
    ) -> Bool {
        placements.allSatisfy { placement in
            let isForeseen = action == .rollback && definition.foreseesRollback(of: placement.layer, at: wall)
            // A claim that opened a hold point may cover the rollback as well.
            let isClaimed =
                action == .rollback && plan.holdPoints != nil
                && authority.permission(
                    for: PermissionAsk(.rollback, of: placement, boundary: boundary.description), at: wall
                ) { leaf(of: placement.host) }.isGiven
            return isForeseen || isClaimed
                || recoveryApprovals.contains { approval in
                    approval.action == action && approval.boundary == boundary && approval.from == step
                        && definition.isOwner(approval.owner, of: placement.layer)
                        && approval.hosts.contains(placement.host)
                }
        }
    }

    func approvalRefusal(_ approval: RecoveryApproval) -> RequestRefusal? {
        if isSigned {
            return RequestRefusal(
                "a policy rules this run, so a claim by \(approval.owner) does not count",
                remedy: "let them sign it", next: .showBoundary(run: definition.run))
        }
        if approval.boundary != boundary {
            return RequestRefusal(
                "the run is at \(boundary), not at \(approval.boundary)", remedy: "approve what is due now",
                next: .showBoundary(run: definition.run))
        }
        if let stranger = approval.hosts.first(where: { hosts[$0] == nil }) { return unknown(stranger) }
        let concerned = approval.hosts.flatMap(placements(of:)).filter {
            definition.isOwner(approval.owner, of: $0.layer)
        }
        guard concerned.isEmpty else { return nil }
        let layers = Set(approval.hosts.flatMap(placements(of:)).map(\.layer)).sorted()
        return layers.isEmpty
            ? RequestRefusal(
                "there is nothing to approve for \(approval.owner)", remedy: "look at what is due",
                next: .showBoundary(run: definition.run))
            : strangerRefusal(approval.owner, layers: layers)
    }

    /// Why a recovery cannot begin yet, although the request itself is valid.
    /// - Parameter needsReason: whether it needs a reason as well, which is said with what else it needs.
    func prematureRefusal(
        of action: RequestedAction, at wall: WallTime, needsReason: Bool = false
    ) -> RequestRefusal? {
        switch action {
        case .recheck, .rerun, .rollback: break
        case .signOff, .retire, .finalize: return isSigned ? unsignedRefusal(of: action, at: wall) : nil
        case .pause, .resume, .abort, .rebind, .cancel, .supersede, .approveRecovery, .present: return nil
        }
        if isHeld, campaign == nil, let placement = postFailurePending.sorted().first {
            return RequestRefusal(
                "what \(placement) looks like after the failure is not recorded yet",
                remedy: "let it be recorded, then decide",
                next: .resume(run: definition.run))
        }
        if case .rerun = action, !usesApprovals, let ended = definition.endedApproval(at: wall) {
            return RequestRefusal(
                "the approval by \(ended.owner) ended before anything was changed",
                remedy: "approve the plan again, and start another run", next: .cancel(run: definition.run))
        }
        if isSigned { return unsignedRefusal(of: action, at: wall) }
        let open = layersWithoutApproval(for: action, at: wall)
        guard let layer = open.first else { return nil }
        let owners = (definition.owners[layer] ?? []).map(\.rawValue).joined(separator: " or ")
        return RequestRefusal(
            "no owner of \(open.map(\.rawValue).joined(separator: ", ")) has approved it",
            remedy: "let \(owners) agree: --as with this command, or recover approve beforehand"
                + (needsReason ? "; a narrower option is open, so give a reason with --reason as well" : ""),
            next: approvedCommand(for: action, by: open, needsReason: needsReason))
    }

    /// The first owner who may approve for a layer.
    package func firstOwner(of layer: LayerName) -> Owner? { definition.owners[layer]?.first }

    /// One owner of each layer, each of them once.
    package func firstOwners(of layers: [LayerName]) -> [Owner] {
        var seen: Set<Owner> = []
        return layers.compactMap { firstOwner(of: $0) }.filter { seen.insert($0).inserted }
    }

    /// The command that approves an action, with an owner of each layer that has not approved it yet.
    private func approvedCommand(
        for action: RequestedAction, by layers: [LayerName], needsReason: Bool
    ) -> OperatorCommand? {
        let owners = firstOwners(of: layers)
        let reason: OperatorCommand.ReasonNeed = needsReason ? .asked : .none
        switch action {
        case .rollback(let scope, nil):
            return .rollback(scope: scope, run: definition.run, approvedBy: owners, reason: reason)
        case .rerun(let host, nil, let step):
            return .rerun(host: host, run: definition.run, from: step, approvedBy: owners, reason: reason)
        case .rollback, .rerun, .pause, .resume, .abort, .recheck, .signOff, .rebind, .retire, .finalize, .cancel,
            .supersede,
            .approveRecovery, .present:
            return nil
        }
    }

    /// Why signed statements do not permit a request yet; nil if they do.
    private func unsignedRefusal(of action: RequestedAction, at wall: WallTime) -> RequestRefusal? {
        lack(for: action, at: wall).map { lack in
            RequestRefusal(
                lack.words, remedy: "let them sign it, then ask again",
                next: .permit(action, run: definition.run, owner: lack.asked))
        }
    }
}

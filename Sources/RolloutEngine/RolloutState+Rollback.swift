package import UpgradeDomain

extension RollbackScope: CustomStringConvertible {
    package var description: String {
        switch self {
        case .host(let name): "host \(name)"
        case .layer(let name): "layer \(name)"
        case .all: "all touched hosts"
        }
    }
}

extension RolloutState {
    /// What a rollback of this scope would undo: everything in it that was changed or may have been.
    package func rollbackTargets(_ scope: RollbackScope) -> [Placement] {
        placements(in: scope).filter { isTouchedOrOpen($0) }
    }

    func placements(in scope: RollbackScope) -> [Placement] {
        switch scope {
        case .host(let name): placements(of: name)
        case .layer(let name): orderedPlacements.filter { $0.layer == name }
        case .all: orderedPlacements
        }
    }

    /// Whether this run changed a placement, or may still change it.
    func isTouchedOrOpen(_ placement: Placement) -> Bool {
        !isRetired(placement.host) && (placements[placement]?.touched == true || isOpen(placement))
    }

    mutating func beginRollback(
        _ scope: RollbackScope, by user: String, breakGlass: Owner?, _ moment: Moment
    ) {
        let targets = rollbackTargets(scope)
        let layers = plan.layers.reversed().map { layer in targets.filter { $0.layer == layer.name } }
        if let breakGlass {
            overrides.append(GuardrailOverride(owner: breakGlass, scope: scope, placements: targets, at: moment.wall))
        }
        campaign = RollbackCampaign(
            scope: scope, requestedBy: user, breakGlass: breakGlass, layers: layers.filter { !$0.isEmpty })
        if !isHeld {
            latch(
                Failure(
                    boundary: boundary,
                    problem: Problem(.rollbackRequested, "\(user) asked for a rollback of \(scope.description)"),
                    at: moment.wall))
        }
        for placement in targets {
            if case .rolledBack = placements[placement]?.phase { placements[placement]?.rollbackAttempt += 1 }
            placements[placement]?.enter(.rollbackPending, moment)
            postFailurePending.remove(placement)
            rechecks.drop([.placement(placement)])
            rerunPending.remove(placement)
            reproofs.drop(placement)
            lostHosts[placement.host] = nil
        }
    }

    func isRollingBack(_ placement: Placement) -> Bool { phase(of: placement, has: [.goingBack, .wentBack]) }

    /// Whether every placement of the campaign has an outcome (and, if requested, a verified one).
    func campaignIsDone(verified: Bool) -> Bool {
        guard let campaign else { return true }
        return campaign.layers.joined().allSatisfy { placement in
            guard let phase = placements[placement]?.phase, phase != .retired else { return true }
            return phase.has(.wentBack) && !(verified && phase.has(.unproved))
        }
    }

    /// The layer of the campaign that is rolling back now; nil if none is, or if one waits for a sign-off.
    var campaignLayer: [Placement]? {
        guard let campaign else { return nil }
        for layer in campaign.layers {
            let open = layer.filter { phase(of: $0, has: .goingBack) }
            if !open.isEmpty { return open }
            let blocks = layer.contains { phase(of: $0, has: .unproved) && !campaign.signedOff.contains($0) }
            if blocks { return nil }
        }
        return nil
    }

    /// The placements whose unverified rollback makes the lower layers wait.
    var placementsAwaitingSignOff: [Placement] {
        guard let campaign, campaignLayer == nil, !campaignIsDone(verified: false) else { return [] }
        return campaign.layers.joined().filter {
            phase(of: $0, has: .unproved) && !campaign.signedOff.contains($0)
        }
    }

    package var hostsAwaitingSignOff: [HostName] { placementsAwaitingSignOff.map(\.host) }

    // MARK: The rollback as a whole

    /// Every placement has rolled back. Each one was proved at its own time. A rollback of everything is proved once
    /// more as a whole, with layer and fleet evidence.
    mutating func proveWholeRollback(_ moment: Moment) {
        guard let campaign, campaign.scope == .all else {
            resolveRollbackRequests()
            return
        }
        let scopes = baselines.keys.filter { subject in
            switch subject {
            case .layer, .fleet: true
            case .placement: false
            }
        }
        self.campaign?.prove(with: scopes, from: moment.sequence)
    }

    /// Whether the placements have rolled back one by one, but are not yet proved together.
    var isProvingWholeRollback: Bool { campaign?.proofPending?.isEmpty == false && campaignIsDone(verified: true) }

    mutating func takeRollbackProof(_ verdict: Verdict, _ capture: Capture, _ moment: Moment) {
        take(proofOf: capture.subject, verdict.problem, moment)
    }

    private mutating func take(proofOf subject: EvidenceSubject, _ problem: Problem?, _ moment: Moment) {
        switch campaign?.took(subject, passed: problem == nil) {
        case nil, .goOn: break
        case .proved: if campaignIsDone(verified: true) { resolveRollbackRequests() }
        case .settle(let placement): settleRollback(placement, .unverified, problem, moment)
        case .stop:
            if let problem {
                latch(Failure(boundary: boundary, subject: subject, problem: problem, at: moment.wall))
            }
        }
    }

    /// A host that cannot be reached cannot be proved.
    mutating func loseProof(of loss: HostLoss, _ moment: Moment) {
        guard isProvingWholeRollback else { return }
        let asked = (campaign?.proofPending ?? []).filter { captureOrder($0, .rollbackProof)?.host == loss.host }
        let problem = Problem(.rollbackUnverified, "\(loss.code.rawValue): \(loss.detail)")
        for subject in asked.sortedForDisplay { take(proofOf: subject, problem, moment) }
    }
}

package import OperatorCommands
package import UpgradeDomain

/// Why a request is refused, and what would make it possible.
package struct RequestRefusal: Error, Hashable, Sendable {
    package var message: String
    package var remedy: String
    /// The next command, if it differs from what the run's own state suggests.
    package var next: OperatorCommand?
    /// Whether the same request would be accepted with a reason.
    package var isForWantOfReason: Bool
    /// Whether a rollback is refused because layers above have changed and must roll back first.
    package var isForLayersAbove: Bool

    package init(
        _ message: String, remedy: String, next: OperatorCommand? = nil, isForWantOfReason: Bool = false,
        isForLayersAbove: Bool = false
    ) {
        self.message = message
        self.remedy = remedy
        self.next = next
        self.isForWantOfReason = isForWantOfReason
        self.isForLayersAbove = isForLayersAbove
    }
}

extension RolloutState {
    /// Why a request cannot be accepted now; nil if it can. Every caller that appends a request checks this first, at
    /// the same sequence number.
    ///
    /// - Parameter wall: decides whether approvals are still valid.
    package func refusal(of request: Request, at wall: WallTime) -> RequestRefusal? {
        if let refusal = refusal(of: request.action) { return refusal }
        let narrower = narrowerOption(than: request)
        if let refusal = prematureRefusal(of: request.action, at: wall, needsReason: narrower != nil) {
            return refusal
        }
        return narrower.map { option in
            RequestRefusal(
                "a narrower option is open: \(option.words)", remedy: "take that one, or give a reason with --reason",
                isForWantOfReason: true)
        }
    }

    /// The narrowest way out of a held run, if a request without a reason takes a wider one.
    private func narrowerOption(than request: Request) -> RecoveryOption? {
        guard request.reason?.isEmpty != false, let width = width(of: request.action), isHeld,
            let narrowest = boundaryRecord?.options.first, width > narrowest.width
        else { return nil }
        return narrowest
    }

    /// The scope of an action, as in ``RecoveryOption/width``; nil for actions that recover nothing.
    private func width(of action: RequestedAction) -> Int? {
        switch action {
        case .recheck(let host): RecoveryOption.recheck(host: host).width
        case .rerun(let host, _, _): RecoveryOption.rerun(host: host, steps: [], needsSignOff: false).width
        case .rollback(let scope, _): RecoveryOption.rollback(scope: scope).width
        case .retire(let host, _): RecoveryOption.retire(host: host).width
        case .pause, .resume, .abort, .signOff, .rebind, .finalize, .cancel, .supersede, .approveRecovery, .present: nil
        }
    }

    /// The same for the action alone, ignoring its reason.
    package func refusal(of action: RequestedAction) -> RequestRefusal? {
        if isClosed { return RequestRefusal("the run is closed and never changes", remedy: "start a new run") }
        switch action {
        case .pause: return pauseRefusal
        case .resume: return resumeRefusal
        case .abort where stage == .complete:
            return RequestRefusal("there is no forward work left to end", remedy: "finalize the run, or roll it back")
        case .abort:
            return isAborted
                ? RequestRefusal("the run is aborted already", remedy: "roll back, or leave it as it is") : nil
        case .rollback(let scope, let owner): return rollbackRefusal(scope) ?? breakGlassRefusal(scope, owner)
        case .recheck(let host): return recheckRefusal(host)
        case .rerun(let host, let owner, let step): return rerunRefusal(host, signedOffBy: owner, from: step)
        case .signOff(let hosts, let owner): return signOffRefusal(hosts, owner)
        case .rebind(let host, _, _, _):
            return hosts[host] == nil ? unknown(host) : nil
        case .retire(let host, let owner): return retireRefusal(host, owner)
        case .finalize: return finalizeRefusal
        case .cancel: return cancelRefusal
        case .approveRecovery(let approval): return approvalRefusal(approval)
        case .present(let statement): return presentRefusal(statement)
        case .supersede: return supersedeRefusal
        }
    }

    var resume: OperatorCommand { .resume(run: definition.run) }
    var watch: OperatorCommand { .watch(run: definition.run) }
    var look: OperatorCommand { .status(run: definition.run) }

    func unknown(_ host: HostName) -> RequestRefusal {
        RequestRefusal("\(host) is not part of this run", remedy: "name one of its hosts", next: look)
    }

    private var pauseRefusal: RequestRefusal? {
        if isPaused { return RequestRefusal("the run is paused already", remedy: "resume it to go on", next: resume) }
        if isHeld || isAborted || stage == .complete {
            return RequestRefusal("nothing is going forward", remedy: "look at its status", next: look)
        }
        return nil
    }

    private var resumeRefusal: RequestRefusal? {
        if isAborted {
            return RequestRefusal(
                "an aborted run never goes forward again", remedy: "roll back, or start a run that succeeds it")
        }
        if let campaign, !campaignIsDone(verified: false) {
            return RequestRefusal(
                "the rollback of \(campaign.scope.description) has not ended", remedy: "wait for its end", next: watch)
        }
        if !awaitedOperations.isEmpty, isHeld, driver != nil, !isDetached {
            let names = awaitedOperations.sorted().map(\.rawValue).joined(separator: ", ")
            return RequestRefusal(
                "operations are not settled: \(names)", remedy: "wait for them", next: watch)
        }
        switch stage {
        case .preflight, .baseline: return nil
        case .batch, .batchBoundary, .layerBoundary, .end, .complete: break
        }
        let open = unresolvedFailures.filter { $0.host != nil && !isRecoverableByCheckingAgain($0) }
        if let failure = open.first {
            return RequestRefusal(
                "\(failure.whom) is not recovered from \(failure.problem.code.rawValue)",
                remedy: "recheck it once repaired, rerun its step, or roll it back")
        }
        return nil
    }

    /// A failure at a point where nothing had changed: the same check decides again.
    func isRecoverableByCheckingAgain(_ failure: Failure) -> Bool {
        switch failure.boundary {
        case .preflight, .baseline: return true
        case .batch, .layer, .end: break
        }
        return failure.placement == nil && failure.host == nil
    }

    private func rollbackRefusal(_ scope: RollbackScope) -> RequestRefusal? {
        let targets = rollbackTargets(scope)
        if let campaign, !campaignIsDone(verified: false) {
            let waiting = hostsAwaitingSignOff.map(\.rawValue).joined(separator: ", ")
            if waiting.isEmpty {
                return RequestRefusal(
                    "a rollback of \(campaign.scope.description) is under way", remedy: "wait for its end", next: watch)
            }
            // It may be tried again, but no placement may be left half rolled back.
            if !campaign.layers.joined().filter({ isTouchedOrOpen($0) }).allSatisfy(targets.contains) {
                return RequestRefusal(
                    "the rollback of \(campaign.scope.description) waits for \(waiting)",
                    remedy: "try the whole of it again, or sign off \(waiting)")
            }
        }
        if targets.isEmpty {
            if placements(in: scope).contains(where: { placements[$0]?.rollbacksBegun.isEmpty == false }) {
                return RequestRefusal(
                    "\(scope.description) is back already: this run has taken back what it changed there",
                    remedy: "look at what it has touched", next: look)
            }
            return RequestRefusal(
                "this run has changed nothing on \(scope.description)", remedy: "look at what it has touched",
                next: look)
        }
        let moved = plan.layers.filter { layer in
            orderedPlacements.contains { $0.layer == layer.name && isTouchedOrOpen($0) }
        }
        // What nobody can take back is said before what could be.
        for layer in moved where layer.rollback.boundary == .oneWay {
            let isBelow = targets.contains { target in
                (layerIndex(of: target.layer) ?? 0) <= (layerIndex(of: layer.name) ?? 0)
            }
            guard isBelow else { continue }
            return RequestRefusal(
                "layer \(layer.name) is declared one-way and has moved", remedy: "repair forward: recheck or rerun")
        }
        for layer in moved {
            let affected = targets.contains { $0.layer == layer.name }
            if affected, let refusal = compatibilityRefusal(layer, moved, targets) { return refusal }
            switch layer.rollback.boundary {
            case .reversible, .untilFinalize, .oneWay: break
            case .untilNextLayer:
                let higherMoved = moved.contains {
                    (layerIndex(of: $0.name) ?? 0) > (layerIndex(of: layer.name) ?? 0)
                        && !isWholly(layer: $0.name, in: targets)
                }
                if affected && higherMoved {
                    return RequestRefusal(
                        "layer \(layer.name) can go back only until the next layer moves, and it has",
                        remedy: "roll the higher layers back first, or use --all", isForLayersAbove: true)
                }
            }
        }
        return nil
    }

    /// A lower layer may roll back alone only if every changed layer above it works with its older version.
    private func compatibilityRefusal(_ layer: PlanLayer, _ moved: [PlanLayer], _ targets: [Placement])
        -> RequestRefusal?
    {
        for higher in moved where (layerIndex(of: higher.name) ?? 0) > (layerIndex(of: layer.name) ?? 0) {
            guard !isWholly(layer: higher.name, in: targets) else { continue }
            let declared = higher.worksWith[layer.name] ?? []
            if declared.contains(layer.version.from) { continue }
            let named =
                declared.isEmpty ? "no version of it" : "only \(declared.map(\.rawValue).joined(separator: ", "))"
            return RequestRefusal(
                "layer \(higher.name) has moved, and its worksWith lacks \(layer.name) \(layer.version.from): it names \(named)",
                remedy:
                    "roll back what stands above \(layer.name) first, the top layer before the others, or use --all",
                isForLayersAbove: true)
        }
        return nil
    }

    /// Only an owner of what rolls back may let it ignore the guardrails.
    private func breakGlassRefusal(_ scope: RollbackScope, _ owner: Owner?) -> RequestRefusal? {
        owner.flatMap { strangerRefusal($0, layers: Set(rollbackTargets(scope).map(\.layer)).sorted()) }
    }

    private func isWholly(layer: LayerName, in targets: [Placement]) -> Bool {
        orderedPlacements.filter { $0.layer == layer && isTouchedOrOpen($0) }.allSatisfy(targets.contains)
    }

    private func recheckRefusal(_ host: HostName) -> RequestRefusal? {
        guard hosts[host] != nil else { return unknown(host) }
        return isHeld ? nil : RequestRefusal("the run is not held", remedy: "look at its status", next: look)
    }

    /// Why an owner may not decide for layers; nil if they own one of them.
    func strangerRefusal(_ owner: Owner, layers: [LayerName]) -> RequestRefusal? {
        // Where a policy rules, signed statements say who may.
        if isSigned { return nil }
        let owners = Set(layers.flatMap { definition.owners[$0] ?? [] })
        if owners.contains(owner) { return nil }
        let names = owners.sorted().map(\.rawValue).joined(separator: " or ")
        return RequestRefusal(
            "\(owner) does not own \(layers.map(\.rawValue).joined(separator: ", "))", remedy: "decide it as \(names)")
    }

    private func signOffRefusal(_ hosts: [HostName], _ owner: Owner) -> RequestRefusal? {
        guard let campaign, !campaignIsDone(verified: true) else {
            return RequestRefusal("no rollback waits for a sign-off", remedy: "look at its status", next: look)
        }
        let waiting = placementsAwaitingSignOff
        if let stranger = hosts.first(where: { host in !waiting.contains { $0.host == host } }) {
            return RequestRefusal(
                "the rollback of \(campaign.scope.description) does not wait for \(stranger)",
                remedy: "name hosts that it left unverified")
        }
        return strangerRefusal(owner, layers: Set(waiting.filter { hosts.contains($0.host) }.map(\.layer)).sorted())
    }

    private func retireRefusal(_ host: HostName, _ owner: Owner) -> RequestRefusal? {
        guard hosts[host] != nil else { return unknown(host) }
        if let refusal = strangerRefusal(owner, layers: placements(of: host).map(\.layer)) { return refusal }
        if !isAborted, fleetVantage == host || plan.layers.contains(where: { frozen.vantages[$0.name] == host }) {
            return RequestRefusal(
                "\(host) takes evidence for others, which nobody else can take",
                remedy: "repair it, or abort and start a plan that names another host")
        }
        for layer in placements(of: host).compactMap({ plan.layer($0.layer) }) where !isAborted {
            let others = definition.hostNames(in: layer.name).filter { $0 != host && !isRetired($0) }
            if others.isEmpty {
                return RequestRefusal(
                    "\(host) is the last host of layer \(layer.name)", remedy: "abort the run instead",
                    next: .abort(run: definition.run))
            }
            let once = layer.steps.filter(\.once)
            let isDue = placements[Placement(host: host, layer: layer.name)]?.recorded != .target
            if let step = once.first, frozen.firstHosts[layer.name] == host, isDue {
                return RequestRefusal(
                    "\(host) runs step \(step.name) for the whole of layer \(layer.name)",
                    remedy: "repair it, or abort the run")
            }
        }
        return nil
    }

    private var supersedeRefusal: RequestRefusal? {
        if let refusal = overrideRefusal { return refusal }
        let isSettled = openOperations.allSatisfy {
            operations[$0].map { isRetired($0.intent.placement.host) } ?? true
        }
        return isSettled
            ? nil
            : RequestRefusal(
                "operations are still open", remedy: "let them be settled, or retire hosts that are gone", next: resume)
    }

    /// A run that is closed repeats nothing any more, so it is not closed before an owner has seen an override.
    private var overrideRefusal: RequestRefusal? {
        guard isSigned, let open = openOverrides.first else { return nil }
        return RequestRefusal(
            "nobody has acknowledged that the guardrails of \(open.scope.description) were overridden",
            remedy: "let an owner acknowledge it", next: .acknowledgeOverride(run: definition.run, owner: nil))
    }

    var finalizeRefusal: RequestRefusal? {
        if let refusal = overrideRefusal { return refusal }
        if let open = openOperations.sorted().first {
            return RequestRefusal("\(open) is not settled", remedy: "let it be settled", next: resume)
        }
        return switch status {
        case .verified, .verifiedExcept, .rolledBack(.verified): nil
        // Nothing was changed, so there is nothing to roll back, and its hosts are free for other runs.
        case .aborted where touchedPlacements.isEmpty && !inheritsChanges: nil
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .paused, .held, .rollingBack,
            .rolledBack(.unverified),
            .rolledBack(.failed), .rolledBack(.refused), .aborted, .finalized, .cancelled, .superseded:
            RequestRefusal(
                "the run is \(status.description); only a verified or a completely rolled back run can be finalized, and an aborted one that changed nothing",
                remedy: "look at its status", next: look)
        }
    }

    private var cancelRefusal: RequestRefusal? {
        if let open = openOperations.sorted().first {
            // A request to end the run must not start anything new. An abort settles what is open.
            return RequestRefusal(
                "\(open) is not settled", remedy: "abort the run, which settles it",
                next: isHeld || isAborted ? resume : .abort(run: definition.run))
        }
        if hasChangedNothing { return nil }
        return inheritsChanges
            ? RequestRefusal(
                "the run goes on from one that has changed hosts", remedy: "go on, or start a run that succeeds it")
            : RequestRefusal(
                "the run has changed hosts", remedy: "roll them back and finalize it, or start a run that succeeds it")
    }

    // MARK: Taking

    /// Applies a request as it was recorded, in any state. Whether it was allowed was decided when it was appended. A
    /// later build with other rules must not read the run differently.
    mutating func take(_ request: Request, _ moment: Moment) {
        noteRecovery(request.action, moment)
        switch request.action {
        case .pause: isPaused = true
        case .resume: resume(moment)
        case .abort:
            isAborted = true
            // A placement between two steps of a rerun will not be moved on any more.
            for placement in rerunPending where placements[placement]?.phase == .changing {
                placements[placement]?.enter(.failed, moment)
            }
            rerunPending = []
        case .rollback(let scope, let owner): beginRollback(scope, by: request.by, breakGlass: owner, moment)
        case .recheck(let host): recheck(host, moment)
        case .rerun(let host, _, let step): rerun(host, from: step, moment)
        case .signOff(let hosts, _):
            let accepted = placementsAwaitingSignOff.filter { hosts.contains($0.host) }
            campaign?.signOff(accepted)
        case .rebind(let host, let address, let port, let keys):
            hosts[host]?.address = address
            hosts[host]?.port = port
            hosts[host]?.hostKeys = keys
            lostHosts[host] = nil
        case .retire(let host, let owner): retire(host, owner, moment)
        case .finalize: isFinalized = true
        case .cancel: isCancelled = true
        case .supersede(let run): supersededBy = run
        case .approveRecovery(let approval): recoveryApprovals.append(approval)
        case .present(let statement): take(statement, moment)
        }
    }

    private mutating func resume(_ moment: Moment) {
        let wasHeld = isHeld
        isPaused = false
        isHeld = false
        lostHosts = [:]
        postFailurePending = []
        rechecks.dropAll()
        campaign = nil
        restartClocks(moment)
        guard wasHeld else { return }
        stageSequence = moment.sequence
        recoveryApprovals = []
        failureLog.resolve(as: .checkedAgain)
        switch stage {
        case .preflight, .baseline:
            // Nothing has begun there, whatever an event that did not fit has changed.
            for (placement, state) in placements.all where state.phase == .failed {
                placements[placement]?.enter(.waiting, moment)
                placements[placement]?.attempt += 1
            }
        case .batch, .batchBoundary, .layerBoundary, .end, .complete: break
        }
        switch stage {
        case .preflight:
            preflight = [:]
            machines = [:]
            enter(.preflight)
        case .baseline:
            baselines = [:]
            accepted = [:]
            enter(.baseline)
        case .batch, .batchBoundary, .layerBoundary, .end, .complete:
            for (placement, state) in placements.all {
                guard case .rolledBack(.verified) = state.phase else { continue }
                placements[placement]?.enter(.waiting, moment)
                placements[placement]?.attempt += 1
                placements[placement]?.rollbackAttempt += 1
            }
            returnToFirstOpenBatch()
        }
    }

    private mutating func recheck(_ host: HostName, _ moment: Moment) {
        let own = placements(of: host)
        let concerned = own.filter { !isRetired(host) && phase(of: $0, has: [.failed, .unproved]) }
        let isAsked = !rechecks.pending.isDisjoint(with: own.map(EvidenceSubject.placement))
        // If no single placement of the host is wrong, all of them are checked.
        let asked = concerned.isEmpty && !isAsked ? own : concerned
        rechecks.ask(host, for: asked.map(EvidenceSubject.placement), at: moment.sequence)
        lostHosts[host] = nil
    }

    private mutating func retire(_ host: HostName, _ owner: Owner, _ moment: Moment) {
        retired[host] = owner
        for placement in placements(of: host) {
            placements[placement]?.enter(.retired, moment)
            pending.remove(.placement(placement))
            postFailurePending.remove(placement)
            rechecks.drop([.placement(placement)])
            reproofs.drop(placement)
            rerunPending.remove(placement)
        }
        resolveFailures(of: host, as: .retired)
    }

    /// The steps that run on a host. A `once` step runs only on the layer's first host.
    func steps(of layer: PlanLayer, for host: HostName) -> [Step] {
        layer.steps(on: host, first: frozen.firstHosts[layer.name])
    }
}

package import UpgradeDomain

extension RolloutState {
    /// What must happen next. Pure: the same state and time give the same decision, before and after a crash.
    ///
    /// - Parameters:
    ///   - wall: decides whether the approvals of a run that has changed nothing are still valid.
    ///   - followed: the operations that the calling process has sent, or has asked about, and will report on. Nothing
    ///     is due for them meanwhile. They are not facts: they end with the process.
    package func next(
        at now: MonotonicTime, _ wall: WallTime, following followed: Set<OperationID> = []
    ) -> Decision {
        var decision = Decision()
        guard let driver, !isClosed else { return decision }
        superviseOperations(but: followed, &decision)
        recover(driver, now, &decision)
        guard !isAborted, campaign == nil else { return decision }
        if isHeld {
            askRemainingHosts(&decision)
            return decision
        }
        if isPaused {
            sampleWhilePaused(now, &decision)
            return decision
        }
        if !reproofs.pending.isEmpty {
            let asked = reproofs.pending.lazy.filter { lostHosts[$0.host] == nil }.prefix(Decision.readsAtOnce)
            for placement in asked { order(.placement(placement), .reproof(epoch: driver.epoch), &decision) }
            return decision
        }
        switch stage {
        case .preflight: for host in hostsNotAnswered { decision.effects.append(.preflight(host: host)) }
        case .baseline: for subject in pending.prefix(Decision.readsAtOnce) { order(subject, .baseline, &decision) }
        case .batch(let layer, let index): change(batches[layer][index], driver, now, wall, &decision)
        case .batchBoundary, .layerBoundary, .end:
            for subject in pending.prefix(Decision.readsAtOnce) { order(subject, .boundary(boundary), &decision) }
        case .complete: break
        }
        return decision
    }

    private func order(
        _ subject: EvidenceSubject, _ purpose: CapturePurpose, omitting omits: [SurfaceName] = [],
        _ decision: inout Decision
    ) {
        if let order = captureOrder(subject, purpose, omitting: omits) { decision.effects.append(.capture(order)) }
    }

    /// Preflight and baseline change nothing, so a failed host does not stop the others from being checked. The
    /// operator learns of every failure at once.
    private func askRemainingHosts(_ decision: inout Decision) {
        switch stage {
        case .preflight: for host in hostsNotAnswered { decision.effects.append(.preflight(host: host)) }
        case .baseline: for subject in subjectsNotCaptured { order(subject, .baseline, &decision) }
        case .batch, .batchBoundary, .layerBoundary, .end, .complete: break
        }
    }

    // MARK: Operations in flight

    private func superviseOperations(but followed: Set<OperationID>, _ decision: inout Decision) {
        for id in openOperations.sorted() where !followed.contains(id) {
            guard let operation = operations[id] else { continue }
            let intent = operation.intent
            let isLost = lostHosts[intent.placement.host] != nil
            switch operation.fate {
            case .intended where operation.intent.epoch == driver?.epoch:
                if !maySend(id) {
                    decision.effects.append(
                        .record(.operationWithdrawn(id: id, reason: "the boundary closed before it was sent")))
                } else if !isLost {
                    decision.effects.append(.start(intent))
                }
            case .intended, .running, .uncertain:
                if !isLost { decision.effects.append(.settle(intent)) }
            case .unconfirmed:
                if !isLost { decision.effects.append(.confirm(intent)) }
            case .ended, .withdrawn, .tombstoned: break
            }
        }
    }

    /// Whether an intent that was not sent may be sent now: its boundary has not failed since. A rollback and a
    /// permitted rerun do not depend on the forward sequence.
    package func maySend(_ id: OperationID) -> Bool {
        guard let operation = operations[id], operation.fate == .intended else { return false }
        let placement = operation.intent.placement
        guard !isRetired(placement.host) else { return false }
        switch operation.intent.action {
        case .rollback: return campaign != nil && placements[placement]?.phase == .rollingBack
        case .step:
            guard !isAborted, campaignIsDone(verified: false), lostHosts[placement.host] == nil else { return false }
            return placements[placement]?.rerun == id || (!isHeld && !isPaused && campaign == nil)
        }
    }

    private func isOpen(_ subject: EvidenceSubject) -> Bool {
        guard case .placement(let placement) = subject else { return false }
        return isOpen(placement)
    }

    // MARK: Recovery

    private func recover(_ driver: Driver, _ now: MonotonicTime, _ decision: inout Decision) {
        for subject in rechecks.pending.sortedForDisplay where !isOpen(subject) { order(subject, .recheck, &decision) }
        if campaign != nil {
            rollBack(driver, now, &decision)
            guard campaignLayer == nil else { return }
            if isProvingWholeRollback {
                for subject in (campaign?.proofPending ?? []).sortedForDisplay {
                    order(subject, .rollbackProof, &decision)
                }
            }
        }
        for placement in rerunPending.sorted() where !isOpen(placement) && !postFailurePending.contains(placement) {
            intendStep(placement, driver, &decision)
        }
        for placement in rerunsWarmingUp {
            guard let state = placements[placement], let layer = plan.layer(placement.layer) else { continue }
            warmUp(placement, state, layer, now, &decision)
        }
        if isHeld, awaitedOperations.isEmpty {
            for placement in postFailurePending.sorted() { order(.placement(placement), .postFailure, &decision) }
        }
    }

    private func rollBack(_ driver: Driver, _ now: MonotonicTime, _ decision: inout Decision) {
        guard let open = campaignLayer, let layer = plan.layer(open[0].layer) else { return }
        for placement in open.prefix(layer.maxInFlight) {
            guard let state = placements[placement], !isOpen(placement) else { continue }
            switch state.phase {
            case .rollbackPending:
                order(.placement(placement), .beforeRollback(attempt: state.rollbackAttempt), &decision)
            case .rollingBack:
                decision.effects.append(
                    .record(.operationIntended(intent(placement, .rollback, state.rollbackAttempt, driver))))
            case .provingRollback:
                awaitHealth(
                    .rollbackHealthy, placement, state, layer,
                    .rollbackVerification(attempt: state.rollbackAttempt), now, &decision)
            case .waiting, .checked, .changing, .warmingUp, .soaking, .soaked, .failed, .rolledBack, .retired: break
            }
        }
    }

    // MARK: Forward

    private func change(
        _ batch: Batch, _ driver: Driver, _ now: MonotonicTime, _ wall: WallTime, _ decision: inout Decision
    ) {
        guard let layer = plan.layer(batch.layer) else { return }
        let underWay = placements.underWay.members(of: batch)
        // If the canary may have been retired, change one host at a time until another one of the layer is proved.
        let isProved =
            retired.isEmpty
            || touchedPlacements.contains {
                $0.layer == layer.name && placements[$0]?.phase == .soaked
            }
        var slots = (isProved ? layer.maxInFlight : 1) - underWay.count { phase(of: $0, has: .inFlight) }
        // At least one waiting placement is considered even without a free slot, because the progress deadline applies
        // to it too.
        let open = underWay + placements.waiting.members(of: batch, atMost: max(1, slots))
        var isWaiting = false
        for placement in open {
            guard let state = placements[placement] else { continue }
            switch state.phase {
            case .waiting:
                guard slots > 0 else { continue }
                slots -= 1
                guard isPermitted(placement, wall, &isWaiting, &decision) else { continue }
                order(.placement(placement), .drift(attempt: state.attempt), &decision)
            case .checked, .changing:
                if isOpen(placement) { continue }
                guard isPermitted(placement, wall, &isWaiting, &decision) else { continue }
                if !usesApprovals, let ended = definition.endedApproval(at: wall) {
                    let waitingFor =
                        "the approval by \(ended.owner) ended before anything was changed: approve the plan again, "
                        + "and start another run"
                    record(.approval, placement, since: state.phaseMark, now, waitingFor, &decision)
                    return
                }
                intendStep(placement, driver, &decision)
            case .warmingUp: warmUp(placement, state, layer, now, &decision)
            case .soaking: soak(placement, state, layer, now, &decision)
            case .soaked, .failed, .rollbackPending, .rollingBack, .provingRollback, .rolledBack, .retired: break
            }
        }
        if !isWaiting, wait == nil { watchProgress(open, layer, now, &decision) }
    }

    /// Whether a placement's next step is permitted. If it is not, the first such placement's wait is recorded once, and nothing
    /// counts as stuck meanwhile.
    private func isPermitted(
        _ placement: Placement, _ wall: WallTime, _ isWaiting: inout Bool, _ decision: inout Decision
    ) -> Bool {
        guard let new = approvalWait(before: placement, at: wall) else { return true }
        if !isWaiting, wait?.wait != new { decision.effects.append(.record(.approvalAwaited(new))) }
        isWaiting = true
        return false
    }

    private func warmUp(
        _ placement: Placement, _ state: PlacementState, _ layer: PlanLayer, _ now: MonotonicTime,
        _ decision: inout Decision
    ) {
        awaitHealth(.healthy, placement, state, layer, .verification(attempt: state.attempt), now, &decision)
    }

    /// Captures a placement until it is healthy or its deadline has passed. A capture from before the deadline does not
    /// show the present state, so one last capture that began at the deadline or later decides.
    private func awaitHealth(
        _ kind: DeadlineRecord.Kind, _ placement: Placement, _ state: PlacementState, _ layer: PlanLayer,
        _ purpose: CapturePurpose, _ now: MonotonicTime, _ decision: inout Decision
    ) {
        let ends = state.phaseMark + .seconds(layer.healthyWithinSeconds)
        if let look = unwatched(placement, state) {
            interrupt(kind == .healthy ? .progress : kind, placement, state, look, now, &decision)
        } else if now < ends {
            sample(placement, state, layer, purpose, now, &decision)
            decision.wake(at: ends)
        } else if let look = state.lastLook, look.began >= ends {
            expire(kind, placement, state, since: state.phaseMark, now, &decision)
        } else {
            order(.placement(placement), purpose, &decision)
        }
    }

    private func soak(
        _ placement: Placement, _ state: PlacementState, _ layer: PlanLayer, _ now: MonotonicTime,
        _ decision: inout Decision
    ) {
        let ends = state.phaseMark + .seconds(layer.soakSeconds)
        let isSeen = state.lastLook.map { $0.began >= ends && $0.isWhole } ?? false
        if let look = unwatched(placement, state) {
            interrupt(.progress, placement, state, look, now, &decision)
        } else if now >= ends, isSeen || layer.soakSeconds == 0 {
            decision.effects.append(.record(.placementSoaked(placement: placement, attempt: state.attempt)))
        } else if now >= ends {
            // The soak ends with a capture, so that its last moment is observed as well.
            order(.placement(placement), .verification(attempt: state.attempt), &decision)
        } else {
            sample(placement, state, layer, .verification(attempt: state.attempt), now, &decision)
            decision.wake(at: ends)
        }
    }

    /// How often in a row a placement may go unobserved for too long before that is a failure.
    static let interruptionsLimit = 3

    /// Whether passing time can decide anything: placements are watched, or the progress deadline applies.
    package var isWatching: Bool {
        switch stage {
        case .batch: true
        case .preflight, .baseline, .batchBoundary, .layerBoundary, .end, .complete: campaign != nil
        }
    }

    /// The last capture, if the time before it was longer than the allowed time between captures. What happened in that
    /// time was not observed.
    private func unwatched(_ placement: Placement, _ state: PlacementState) -> Look? {
        guard let look = state.lastLook, let limit = frozen.watchLimits[placement.layer], look.unwatched > limit
        else { return nil }
        return look
    }

    /// Its clocks start again. If that has happened too often, its host cannot be watched as the plan requires.
    private func interrupt(
        _ kind: DeadlineRecord.Kind, _ placement: Placement, _ state: PlacementState, _ look: Look,
        _ now: MonotonicTime, _ decision: inout Decision
    ) {
        let seconds = Int(look.unwatched.components.seconds)
        guard state.interruptions >= RolloutState.interruptionsLimit else {
            let interruption = WatchInterruption(placement: placement, seconds: seconds)
            decision.effects.append(.record(.watchInterrupted(interruption)))
            return
        }
        let waitingFor = "\(placement) could not be watched: looks at it were up to \(seconds) s apart, again and again"
        record(kind, placement, since: state.phaseMark, now, waitingFor, &decision)
    }

    private func sample(
        _ placement: Placement, _ state: PlacementState, _ layer: PlanLayer, _ purpose: CapturePurpose,
        _ now: MonotonicTime, _ decision: inout Decision
    ) {
        let due = state.lastLook.map { $0.ended + .seconds(layer.sampleSeconds) } ?? now
        guard now >= due else {
            decision.wake(at: due)
            return
        }
        order(.placement(placement), purpose, omitting: omitted(state, layer, now), &decision)
    }

    /// The surfaces that a sample need not take, as they were captured a short time ago. A placement that does not soak yet
    /// needs all of them, because each sample may be the one that lets it go on; so does one that was last seen wrong.
    private func omitted(_ state: PlacementState, _ layer: PlanLayer, _ now: MonotonicTime) -> [SurfaceName] {
        guard state.phase == .soaking, state.problem == nil else { return [] }
        return plan.intervals(in: layer).filter { name, seconds in
            state.captured[name].map { now < $0 + .seconds(seconds) } ?? false
        }.map(\.name)
    }

    private func sampleWhilePaused(_ now: MonotonicTime, _ decision: inout Decision) {
        for placement in activePlacements where isSampled(placement) {
            guard let state = placements[placement], let layer = plan.layer(placement.layer) else { continue }
            sample(placement, state, layer, .verification(attempt: state.attempt), now, &decision)
        }
    }

    /// Whether a placement has changed and is being watched.
    func isSampled(_ placement: Placement) -> Bool { phase(of: placement, has: .sampled) }

    private func expire(
        _ kind: DeadlineRecord.Kind, _ placement: Placement, _ state: PlacementState, since mark: MonotonicTime,
        _ now: MonotonicTime, _ decision: inout Decision
    ) {
        record(kind, placement, since: mark, now, state.problem?.detail ?? awaited(of: placement, state), &decision)
    }

    private func record(
        _ kind: DeadlineRecord.Kind, _ placement: Placement, since mark: MonotonicTime, _ now: MonotonicTime,
        _ waitingFor: String, _ decision: inout Decision
    ) {
        decision.effects.append(
            .record(
                .deadlinePassed(
                    DeadlineRecord(
                        kind: kind, placement: placement, waitedSeconds: Int((now - mark).components.seconds),
                        waitingFor: waitingFor))))
    }

    /// What a placement is waiting for that has not been found wrong.
    private func awaited(of placement: Placement, _ state: PlacementState) -> String {
        let what =
            switch state.phase {
            case .waiting: "the look at it before its change"
            case .checked, .changing:
                openOperations.sorted().first { operations[$0]?.intent.placement == placement }
                    .map { "the end of \($0)" } ?? "its next step"
            case .warmingUp, .soaking, .provingRollback: "a look at it"
            case .rollbackPending, .rollingBack: "its rollback"
            case .soaked, .failed, .rolledBack, .retired: "the run to go on"
            }
        return "\(placement) waits for \(what)"
    }

    private func watchProgress(
        _ open: [Placement], _ layer: PlanLayer, _ now: MonotonicTime, _ decision: inout Decision
    ) {
        guard let stuck = open.first(where: { phase(of: $0, has: .owesProgress) }),
            !open.contains(where: { isSampled($0) }),
            let state = placements[stuck]
        else { return }
        let ends = advanceMark + .seconds(layer.progressDeadlineSeconds)
        if now < ends {
            decision.wake(at: ends)
        } else {
            expire(.progress, stuck, state, since: advanceMark, now, &decision)
        }
    }

    // MARK: Intents

    private func intendStep(_ placement: Placement, _ driver: Driver, _ decision: inout Decision) {
        guard let state = placements[placement], let layer = plan.layer(placement.layer) else { return }
        let steps = steps(of: layer, for: placement.host)
        guard let step = steps.dropFirst(state.stepsDone).first ?? steps.last else { return }
        decision.effects.append(
            .record(.operationIntended(intent(placement, .step(name: step.name), state.attempt, driver))))
    }

    private func intent(
        _ placement: Placement, _ action: OperationAction, _ attempt: Int, _ driver: Driver
    ) -> OperationIntent {
        // An older build may have used the ID for something else, such as a step with the name `rollback!`.
        var attempt = attempt
        var id = OperationID(run: definition.run, placement: placement, action: action, attempt: attempt)
        while let known = operations[id]?.intent, known.placement != placement || known.action != action {
            attempt += 1
            id = OperationID(run: definition.run, placement: placement, action: action, attempt: attempt)
        }
        var intent = OperationIntent(
            id: id, placement: placement, action: action, attempt: attempt, boundary: boundary,
            planDigest: definition.planDigest, epoch: driver.epoch)
        switch action {
        case .step:
            intent.revert = plan.layer(placement.layer)?.confirmWithinSeconds.map {
                RevertIntent(of: id, withinSeconds: $0)
            }
        case .rollback: break
        }
        return intent
    }
}

extension Set where Element == EvidenceSubject {
    var sortedForDisplay: [EvidenceSubject] { sorted { $0.description < $1.description } }
}

package import UpgradeDomain

// Evidence decides in two steps. When a capture is appended, it is judged against the state it is appended to, and the
// verdict is recorded with it. Applying the capture uses the recorded verdict, so that no later build reads a run
// differently.

extension RolloutState {
    /// The version number of the rules that this build uses to judge.
    static let rules = 1

    /// Events as they will be recorded one after the other from here on: captures with their verdicts.
    ///
    /// - Parameter wall: when they are recorded; decides which waivers are still valid.
    package func judged(_ events: [RunEvent], at wall: WallTime) -> [RunEvent] {
        guard let last = events.lastIndex(where: \.isCapture) else { return events }
        var state = self
        var judged = events
        for index in events.indices[...last] {
            judged[index] = state.judged(events[index], at: wall)
            guard index < last else { break }
            // Neither the hash nor the monotonic time affects evidence.
            let next = RecordedEvent(
                sequence: state.sequence + 1, recordedAt: wall, event: judged[index], hash: chainHead)
            state.apply(next, at: advanceMark)
        }
        return judged
    }

    private func judged(_ event: RunEvent, at wall: WallTime) -> RunEvent {
        guard case .captured(var record) = event else { return event }
        let verdict = isAwaited(record) ? verdictByRules1(on: record, at: wall) : nil
        record.verdict = verdict.map { RecordedVerdict(rules: RolloutState.rules, $0) }
        return .captured(record)
    }

    mutating func take(_ record: CaptureRecord, _ moment: Moment) {
        if case .placement(let placement) = record.capture.subject, placements[placement] != nil {
            let judgedBy = judgedBy(record, of: placement, at: moment.wall)
            placements[placement]?.latest = record.capture
            placements[placement]?.judgedBy = judgedBy
        }
        guard isAwaited(record) else { return }
        switch (record.purpose, record.capture.subject) {
        case (.postFailure, .placement(let placement)): postFailurePending.remove(placement)
        case (.beforeRollback, .placement(let placement)): takeBeforeRollback(record.capture, placement, moment)
        case (.postFailure, _), (.beforeRollback, _): break
        case (.baseline, _), (.boundary, _), (.rollbackProof, _), (.drift, _), (.verification, _),
            (.rollbackVerification, _), (.recheck, _), (.reproof, _):
            // Builds from before verdicts were recorded judged by rules 1.
            let verdict = record.verdict?.verdict ?? verdictByRules1(on: record, at: moment.wall)
            if let verdict { take(verdict, on: record.capture, for: record.purpose, moment) }
        }
    }

    private mutating func take(
        _ verdict: Verdict, on capture: Capture, for purpose: CapturePurpose, _ moment: Moment
    ) {
        switch (purpose, capture.subject) {
        case (.baseline, _): takeBaseline(verdict, capture, moment)
        case (.boundary, _): takeBoundary(verdict, capture, moment)
        case (.rollbackProof, _): takeRollbackProof(verdict, capture, moment)
        case (.drift, .placement(let placement)): takeDrift(verdict, capture, placement, moment)
        case (.verification, .placement(let placement)): takeSample(verdict, capture, placement, moment)
        case (.rollbackVerification, .placement(let placement)):
            takeRollbackSample(verdict, capture, placement, moment)
        case (.recheck, .placement(let placement)): takeRecheck(verdict, capture, placement, moment)
        case (.reproof, .placement(let placement)): takeReproof(verdict, capture, placement, moment)
        case (.drift, _), (.verification, _), (.rollbackVerification, _), (.recheck, _), (.reproof, _),
            (.postFailure, _), (.beforeRollback, _):
            break
        }
    }

    /// Whether a capture is needed, and was ordered after the event that it is evidence for.
    private func isAwaited(_ record: CaptureRecord) -> Bool {
        let subject = record.capture.subject
        guard record.orderedAfter >= evidenceBegins(record.purpose, subject) else { return false }
        guard record.capture.isWhole || isSoakSample(record) else { return false }
        switch (record.purpose, subject) {
        case (.baseline, _): return stage == .baseline && pending.contains(subject)
        case (.boundary(let boundary), _):
            return boundary == self.boundary && pending.contains(subject) && campaign == nil
        case (.rollbackProof, _): return isProvingWholeRollback && campaign?.proofPending?.contains(subject) == true
        case (.postFailure, .placement): return true
        case (.recheck, .placement): return rechecks.pending.contains(subject)
        case (.reproof, .placement(let placement)): return reproofs.pending.contains(placement)
        case (.drift(let attempt), .placement(let placement)):
            guard let state = placements[placement] else { return false }
            return state.phase == .waiting && state.attempt == attempt && accepted[subject] != nil
        case (.verification(let attempt), .placement(let placement)):
            guard let state = placements[placement] else { return false }
            return (state.phase == .warmingUp || state.phase == .soaking) && state.attempt == attempt
        case (.beforeRollback, .placement(let placement)): return placements[placement]?.phase == .rollbackPending
        case (.rollbackVerification(let attempt), .placement(let placement)):
            guard let state = placements[placement] else { return false }
            return state.phase == .provingRollback && state.rollbackAttempt == attempt
        case (.postFailure, _), (.recheck, _), (.reproof, _), (.drift, _), (.verification, _), (.beforeRollback, _),
            (.rollbackVerification, _):
            return false
        }
    }

    /// Whether it is a sample of a placement that soaks, the only evidence that may lack surfaces.
    private func isSoakSample(_ record: CaptureRecord) -> Bool {
        guard case (.verification, .placement(let placement)) = (record.purpose, record.capture.subject) else {
            return false
        }
        return placements[placement]?.phase == .soaking
    }

    /// The event from which evidence for a purpose counts. Older evidence never decides.
    private func evidenceBegins(_ purpose: CapturePurpose, _ subject: EvidenceSubject) -> UInt64 {
        switch purpose {
        case .baseline, .boundary: return stageSequence
        case .drift, .verification, .beforeRollback, .rollbackVerification:
            guard case .placement(let placement) = subject else { return 0 }
            return placements[placement]?.phaseSequence ?? 0
        case .recheck:
            guard case .placement(let placement) = subject else { return 0 }
            return rechecks.begins(for: placement.host)
        case .reproof: return reproofs.begunAt
        case .rollbackProof: return campaign?.proofSequence ?? 0
        case .postFailure: return 0
        }
    }

    // MARK: Taking

    private mutating func takeBaseline(_ verdict: Verdict, _ capture: Capture, _ moment: Moment) {
        let subject = capture.subject
        if let problem = verdict.problem {
            fail(capture, problem, moment)
            return
        }
        baselines[subject] = definition.succession?.baselines[subject] ?? capture
        accepted[subject] = capture
        pending.remove(subject)
    }

    private mutating func takeDrift(
        _ verdict: Verdict, _ capture: Capture, _ placement: Placement, _ moment: Moment
    ) {
        switch verdict {
        case .fail(let problem), .inconclusive(let problem): fail(placement: placement, problem, moment)
        case .adopt:
            // The previous run already moved it to the target: proved and adopted, never redeployed.
            placements[placement]?.adopted = true
            placements[placement]?.touched = true
            placements[placement]?.record(.target, moment)
            placements[placement]?.beforeChange = baselines[capture.subject]
            placements[placement]?.enter(.warmingUp, moment)
        case .pass:
            placements[placement]?.beforeChange = capture
            placements[placement]?.enter(.checked, moment)
            advanceMark = moment.monotonic
        }
    }

    private mutating func takeSample(
        _ verdict: Verdict, _ capture: Capture, _ placement: Placement, _ moment: Moment
    ) {
        guard let state = placements[placement] else { return }
        let measures = plan.measures(in: plan.layer(placement.layer))
        if sawTarget(capture, placement) { placements[placement]?.noteFirst(capture, measures) }
        if state.phase == .warmingUp {
            if let problem = verdict.problem {
                placements[placement]?.problem = problem
            } else {
                if state.rerun != nil { resolveFailures(of: placement, as: .rerunPassed) }
                placements[placement]?.rerun = nil
                placements[placement]?.enter(.soaking, moment)
                advanceMark = moment.monotonic
            }
            note(capture, of: placement, moment)
        } else if let problem = verdict.problem, !isPaused {
            fail(placement: placement, problem, moment)
        } else {
            note(capture, of: placement, moment)
            placements[placement]?.problem = verdict.problem
        }
    }

    /// Whether each component was seen at its target. What was seen before that may be of the process that the change ends.
    private func sawTarget(_ capture: Capture, _ placement: Placement) -> Bool {
        (plan.layer(placement.layer)?.components ?? []).allSatisfy { component in
            let seen = capture.surface(component.versionSurface)?.items.first { $0.key == component.name.rawValue }
            return seen?.value == component.version.to.rawValue
        }
    }

    private mutating func note(_ capture: Capture, of placement: Placement, _ moment: Moment) {
        guard let state = placements[placement], let layer = plan.layer(placement.layer) else { return }
        placements[placement]?.lastLook = Look(capture, recordedAt: moment, after: state)
        for (name, _) in plan.intervals(in: layer) where capture.surface(name) != nil {
            placements[placement]?.captured[name] = moment.monotonic
        }
    }

    private mutating func takeBoundary(_ verdict: Verdict, _ capture: Capture, _ moment: Moment) {
        if let problem = verdict.problem {
            fail(capture, problem, moment)
            return
        }
        accepted[capture.subject] = capture
        pending.remove(capture.subject)
    }

    private mutating func takeBeforeRollback(_ capture: Capture, _ placement: Placement, _ moment: Moment) {
        placements[placement]?.beforeRollback = capture
        // If no forward operation ever ran here, there is nothing to undo, only to prove.
        let wasChanged = placements[placement]?.touched == true
        placements[placement]?.enter(wasChanged ? .rollingBack : .provingRollback, moment)
    }

    private mutating func takeRollbackSample(
        _ verdict: Verdict, _ capture: Capture, _ placement: Placement, _ moment: Moment
    ) {
        note(capture, of: placement, moment)
        if let problem = verdict.problem {
            placements[placement]?.problem = problem
        } else {
            accepted[capture.subject] = capture
            settleRollback(placement, .verified, nil, moment)
        }
    }

    private mutating func takeRecheck(
        _ verdict: Verdict, _ capture: Capture, _ placement: Placement, _ moment: Moment
    ) {
        let own = placements(of: placement.host).map(EvidenceSubject.placement)
        let isAnswered = rechecks.took(
            capture.subject, of: placement.host, with: own, passed: verdict.problem == nil)
        failureLog.note(Recheck(at: moment.wall, problem: verdict.problem), of: placement, isWhole: isAnswered)
        guard let state = placements[placement] else { return }
        lostHosts[placement.host] = nil
        if let problem = verdict.problem {
            placements[placement]?.problem = problem
        } else if case .rolledBack = state.phase {
            placements[placement]?.repairedByHand = true
            accepted[capture.subject] = capture
            settleRollback(placement, .verified, nil, moment)
        } else if state.phase == .failed {
            resolveFailures(of: placement, as: .repairedByHand)
            returnRepaired(placement, state, moment)
        }
        // A failure of the whole host is resolved once everything requested from the host has passed.
        if isAnswered { resolveHostFailures(of: placement.host) }
    }

    /// A failed placement whose evidence is good again continues from where it is.
    private mutating func returnRepaired(_ placement: Placement, _ state: PlacementState, _ moment: Moment) {
        guard state.touched else {
            placements[placement]?.enter(.waiting, moment)
            placements[placement]?.attempt += 1
            return
        }
        placements[placement]?.repairedByHand = true
        let stepCount = plan.layer(placement.layer).map { steps(of: $0, for: placement.host).count } ?? 0
        placements[placement]?.stepsDone = stepCount
        placements[placement]?.forgetFirstLook()
        placements[placement]?.record(.target, moment)
        placements[placement]?.enter(.warmingUp, moment)
    }

    private mutating func takeReproof(
        _ verdict: Verdict, _ capture: Capture, _ placement: Placement, _ moment: Moment
    ) {
        reproofs.drop(placement)
        if let problem = verdict.problem {
            fail(placement: placement, problem, moment)
        } else {
            accepted[capture.subject] = capture
        }
    }
}

extension RunEvent {
    fileprivate var isCapture: Bool { if case .captured = self { true } else { false } }
}

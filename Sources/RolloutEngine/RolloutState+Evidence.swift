import UpgradeDomain

extension RolloutState {
    mutating func take(_ record: CaptureRecord, _ moment: Moment) {
        let subject = record.capture.subject
        if case .placement(let placement) = subject { placements[placement]?.latest = record.capture }
        guard record.orderedAfter >= evidenceBegins(record.purpose, subject) else { return }
        switch record.purpose {
        case .baseline: takeBaseline(record.capture, moment)
        case .drift(let attempt): takeDrift(record.capture, attempt: attempt, moment)
        case .verification(let attempt): takeSample(record.capture, attempt: attempt, moment)
        case .boundary(let boundary): takeBoundary(record.capture, boundary, moment)
        case .rollbackProof: takeRollbackProof(record.capture, moment)
        case .postFailure:
            if case .placement(let placement) = subject { postFailurePending.remove(placement) }
        case .beforeRollback:
            guard case .placement(let placement) = subject, placements[placement]?.phase == .rollbackPending else {
                return
            }
            placements[placement]?.beforeRollback = record.capture
            // Where it turned out that no forward operation ever ran, there is nothing to undo, only to prove.
            let wasChanged = placements[placement]?.touched == true
            placements[placement]?.enter(wasChanged ? .rollingBack : .provingRollback, moment)
        case .rollbackVerification(let attempt): takeRollbackSample(record.capture, attempt: attempt, moment)
        case .recheck: takeRecheck(record.capture, moment)
        case .reproof: takeReproof(record.capture, moment)
        }
    }

    /// The event from which on evidence for a purpose counts; older evidence never decides.
    private func evidenceBegins(_ purpose: CapturePurpose, _ subject: EvidenceSubject) -> UInt64 {
        switch purpose {
        case .baseline, .boundary: return stageSequence
        case .drift, .verification, .beforeRollback, .rollbackVerification:
            guard case .placement(let placement) = subject else { return 0 }
            return placements[placement]?.phaseSequence ?? 0
        case .recheck:
            guard case .placement(let placement) = subject else { return 0 }
            return recheckSequence[placement.host] ?? 0
        case .reproof: return reproofSequence
        case .rollbackProof: return campaign?.proofSequence ?? 0
        case .postFailure: return 0
        }
    }

    private mutating func takeBaseline(_ capture: Capture, _ moment: Moment) {
        let subject = capture.subject
        guard stage == .baseline, pending.contains(subject) else { return }
        let inherited = definition.succession?.baselines[subject]
        let verdict = judgement(of: subject, at: moment.wall).baseline(capture, allowsTarget: inherited != nil)
        if let problem = verdict.problem {
            fail(subject: subject, problem, moment)
            return
        }
        baselines[subject] = inherited ?? capture
        accepted[subject] = capture
        pending.remove(subject)
    }

    private mutating func takeDrift(_ capture: Capture, attempt: Int, _ moment: Moment) {
        guard case .placement(let placement) = capture.subject, let state = placements[placement],
            state.phase == .waiting, state.attempt == attempt, let accepted = accepted[capture.subject]
        else { return }
        let judge = judgement(of: capture.subject, at: moment.wall)
        if definition.succession != nil, let reference = reference(for: placement),
            let layer = plan.layer(placement.layer),
            judge.compare(
                capture, with: reference, expects: .target,
                expected: layer.expects + expectedChanges(at: placement, including: true)) == .pass
        {
            // Already at the target through the run before: proved, adopted, never redeployed.
            placements[placement]?.adopted = true
            placements[placement]?.touched = true
            placements[placement]?.record(.target, moment)
            placements[placement]?.beforeChange = reference
            placements[placement]?.enter(.warmingUp, moment)
            return
        }
        let verdict = judge.drift(
            capture, since: accepted, expects: .source, expected: expectedChanges(at: placement, including: false))
        if let problem = verdict.problem {
            fail(placement: placement, problem, moment)
            return
        }
        placements[placement]?.beforeChange = capture
        placements[placement]?.enter(.checked, moment)
        advanceMark = moment.monotonic
    }

    /// A changed placement against its baseline, at the target.
    private func targetVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> GateVerdict {
        guard let reference = reference(for: placement) else {
            return .inconclusive(Problem(.baselineIncomplete, "there is no baseline to compare with"))
        }
        return judgement(of: .placement(placement), at: wall)
            .compare(
                capture, with: reference, expects: .target, expected: expectedChanges(at: placement, including: true),
                changedAt: placements[placement]?.changedAt)
    }

    /// An untouched placement against its last accepted capture, at the source.
    private func sourceVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> GateVerdict {
        guard let reference = accepted[.placement(placement)] ?? reference(for: placement) else {
            return .inconclusive(Problem(.baselineIncomplete, "there is no baseline to compare with"))
        }
        return judgement(of: .placement(placement), at: wall).drift(
            capture, since: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    private func verdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> GateVerdict {
        placements[placement]?.touched == true
            ? targetVerdict(capture, placement, wall) : sourceVerdict(capture, placement, wall)
    }

    private mutating func takeSample(_ capture: Capture, attempt: Int, _ moment: Moment) {
        guard case .placement(let placement) = capture.subject, let state = placements[placement],
            state.attempt == attempt
        else { return }
        let verdict = targetVerdict(capture, placement, moment.wall)
        switch state.phase {
        case .warmingUp:
            if let problem = verdict.problem {
                placements[placement]?.problem = problem
            } else {
                if state.rerun != nil { resolveFailures(of: placement, as: .rerunPassed) }
                placements[placement]?.rerun = nil
                placements[placement]?.enter(.soaking, moment)
                advanceMark = moment.monotonic
            }
            placements[placement]?.lastSampleMark = moment.monotonic
        case .soaking:
            if let problem = verdict.problem, !isPaused {
                fail(placement: placement, problem, moment)
            } else {
                placements[placement]?.lastSampleMark = moment.monotonic
                placements[placement]?.problem = verdict.problem
            }
        case .waiting, .checked, .changing, .soaked, .failed, .rollbackPending, .rollingBack, .provingRollback,
            .rolledBack, .retired:
            break
        }
    }

    private mutating func takeBoundary(_ capture: Capture, _ boundary: Boundary, _ moment: Moment) {
        let subject = capture.subject
        guard boundary == self.boundary, pending.contains(subject), campaign == nil else { return }
        let verdict: GateVerdict
        switch subject {
        case .placement(let placement): verdict = self.verdict(capture, placement, moment.wall)
        case .layer, .fleet:
            let expected = plan.layers.flatMap(\.expects)
            if let reference = accepted[subject] {
                verdict = judgement(of: subject, at: moment.wall)
                    .compare(capture, with: reference, expects: .target, expected: expected)
            } else {
                verdict = .inconclusive(Problem(.baselineIncomplete, "there is no baseline to compare with"))
            }
        }
        if let problem = verdict.problem {
            fail(subject: subject, problem, moment)
            return
        }
        accepted[subject] = capture
        pending.remove(subject)
    }

    private mutating func takeRollbackSample(_ capture: Capture, attempt: Int, _ moment: Moment) {
        guard case .placement(let placement) = capture.subject, let state = placements[placement],
            state.phase == .provingRollback, state.rollbackAttempt == attempt
        else { return }
        placements[placement]?.lastSampleMark = moment.monotonic
        guard let reference = rollbackReference(for: placement) else {
            placements[placement]?.problem = Problem(.baselineIncomplete, "there is no state before the change")
            return
        }
        let verdict = judgement(of: capture.subject, at: moment.wall).compare(
            capture, with: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
        if let problem = verdict.problem {
            placements[placement]?.problem = problem
        } else {
            accepted[capture.subject] = capture
            settleRollback(placement, .verified, nil, moment)
        }
    }

    /// One host goes back to what it was right before its change; the whole run to the run's baseline.
    private func rollbackReference(for placement: Placement) -> Capture? {
        switch campaign?.scope {
        case .host, .layer: placements[placement]?.beforeChange ?? reference(for: placement)
        case .all, nil: reference(for: placement)
        }
    }

    private mutating func takeRecheck(_ capture: Capture, _ moment: Moment) {
        guard recheckPending.remove(capture.subject) != nil else { return }
        guard case .placement(let placement) = capture.subject, let state = placements[placement] else { return }
        lostHosts[placement.host] = nil
        if let problem = recheckVerdict(capture, placement, state, moment.wall).problem {
            placements[placement]?.problem = problem
            recheckFailed.insert(placement.host)
        } else if case .rolledBack = state.phase {
            placements[placement]?.repairedByHand = true
            accepted[capture.subject] = capture
            settleRollback(placement, .verified, nil, moment)
        } else if state.phase == .failed {
            resolveFailures(of: placement, as: .repairedByHand)
            returnRepaired(placement, state, moment)
        }
        // A failure of the host as a whole is answered when all that was asked of it passed.
        let rest = placements(of: placement.host).map(EvidenceSubject.placement)
        if recheckPending.isDisjoint(with: rest), !recheckFailed.contains(placement.host) {
            resolveHostFailures(of: placement.host)
        }
    }

    private func recheckVerdict(
        _ capture: Capture, _ placement: Placement, _ state: PlacementState, _ wall: WallTime
    ) -> GateVerdict {
        if case .rolledBack = state.phase {
            guard let reference = rollbackReference(for: placement) else {
                return .inconclusive(Problem(.baselineIncomplete, "there is no state before the change"))
            }
            return judgement(of: capture.subject, at: wall).compare(
                capture, with: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
        }
        let found = verdict(capture, placement, wall)
        // A successor may meet what the run before it had already changed.
        let isAdoptable = definition.succession != nil && !state.touched && found != .pass
        return isAdoptable && targetVerdict(capture, placement, wall) == .pass ? .pass : found
    }

    /// A failed placement whose evidence is good again goes on from where it is.
    private mutating func returnRepaired(_ placement: Placement, _ state: PlacementState, _ moment: Moment) {
        guard state.touched else {
            placements[placement]?.enter(.waiting, moment)
            placements[placement]?.attempt += 1
            return
        }
        placements[placement]?.repairedByHand = true
        let stepCount = plan.layer(placement.layer).map { steps(of: $0, for: placement.host).count } ?? 0
        placements[placement]?.stepsDone = stepCount
        placements[placement]?.record(.target, moment)
        placements[placement]?.enter(.warmingUp, moment)
    }

    private mutating func takeReproof(_ capture: Capture, _ moment: Moment) {
        guard case .placement(let placement) = capture.subject, reproofPending.contains(placement) else { return }
        reproofPending.remove(placement)
        if let problem = verdict(capture, placement, moment.wall).problem {
            fail(placement: placement, problem, moment)
        } else {
            accepted[capture.subject] = capture
        }
    }
}

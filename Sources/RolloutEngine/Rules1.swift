import UpgradeDomain

// Rules 1: used to judge captures from builds that recorded no verdict, on every read. Frozen: a change here would
// change the meaning of recorded runs. New rules go in a file of their own, with the next number. RulesTests notices
// most changes of a comparison.

extension RolloutState {
    /// The verdict on a capture that is needed; nil if nothing is judged.
    ///
    /// - Parameter wall: decides which waivers are still valid.
    func verdictByRules1(on record: CaptureRecord, at wall: WallTime) -> Verdict? {
        let (capture, subject) = (record.capture, record.capture.subject)
        switch (record.purpose, subject) {
        case (.postFailure, _), (.beforeRollback, _): return nil
        case (.baseline, _):
            let isInherited = definition.succession?.baselines[subject] != nil
            return judgement(of: subject, at: wall).baseline(capture, allowsTarget: isInherited)
        case (.drift, .placement(let placement)): return driftVerdict(capture, placement, wall)
        case (.verification, .placement(let placement)):
            return targetVerdict(capture, placement, wall, firstLook: placements[placement]?.firstLook ?? [:])
        case (.boundary, .placement(let placement)), (.reproof, .placement(let placement)):
            return standingVerdict(capture, placement, wall, firstLook: placements[placement]?.firstLook ?? [:])
        case (.boundary, .layer), (.boundary, .fleet):
            guard let reference = accepted[subject] else { return .noBaseline }
            return judgement(of: subject, at: wall)
                .compare(capture, with: reference, expects: .target, expected: plan.layers.flatMap(\.expects))
        case (.rollbackVerification, .placement(let placement)):
            return rollbackVerdict(capture, placement, wall)
        case (.rollbackProof, _): return rollbackProofVerdict(capture, wall)
        case (.recheck, .placement(let placement)): return recheckVerdict(capture, placement, wall)
        case (.drift, _), (.verification, _), (.rollbackVerification, _), (.recheck, _), (.reproof, _): return nil
        }
    }

    func judgement(of subject: EvidenceSubject, at wall: WallTime) -> Judgement {
        Judgement(plan: plan, subject: subject, wall: wall)
    }

    /// Right before a change: it must match its last accepted capture, or already be at the target through the previous
    /// run.
    private func driftVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let accepted = accepted[capture.subject] else { return .noBaseline }
        let judge = judgement(of: capture.subject, at: wall)
        if definition.succession != nil, let reference = reference(for: placement),
            let layer = plan.layer(placement.layer),
            judge.compare(
                capture, with: reference, expects: .target,
                expected: layer.expects + expectedChanges(at: placement, including: true)) == .pass
        {
            return .adopt
        }
        return judge.drift(
            capture, since: accepted, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    /// A changed placement, compared with its baseline, at the target.
    private func targetVerdict(
        _ capture: Capture, _ placement: Placement, _ wall: WallTime, firstLook: [ItemReference: String] = [:]
    ) -> Verdict {
        guard let reference = reference(for: placement) else { return .noBaseline }
        return judgement(of: .placement(placement), at: wall)
            .compare(
                capture, with: reference, expects: .target, expected: expectedChanges(at: placement, including: true),
                changedAt: placements[placement]?.changedAt, firstLook: firstLook)
    }

    /// An untouched placement, compared with its last accepted capture, at the source.
    private func sourceVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let reference = accepted[.placement(placement)] ?? reference(for: placement) else { return .noBaseline }
        return judgement(of: .placement(placement), at: wall).drift(
            capture, since: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    /// A placement in its present state, changed or not.
    private func standingVerdict(
        _ capture: Capture, _ placement: Placement, _ wall: WallTime, firstLook: [ItemReference: String] = [:]
    ) -> Verdict {
        placements[placement]?.touched == true
            ? targetVerdict(capture, placement, wall, firstLook: firstLook) : sourceVerdict(capture, placement, wall)
    }

    private func rollbackVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let reference = rollbackReference(for: placement) else {
            return .inconclusive(Problem(.baselineIncomplete, "there is no state before the change"))
        }
        return judgement(of: capture.subject, at: wall).compare(
            capture, with: reference, expects: .source, expected: expectedChanges(at: placement, including: false))
    }

    /// A rollback of one host is compared with its state right before its change; a rollback of the whole run with the
    /// run's baseline.
    func rollbackReference(for placement: Placement) -> Capture? {
        switch campaign?.scope {
        case .host, .layer: placements[placement]?.beforeChange ?? reference(for: placement)
        case .all, nil: reference(for: placement)
        }
    }

    private func rollbackProofVerdict(_ capture: Capture, _ wall: WallTime) -> Verdict {
        guard let reference = baselines[capture.subject] else { return .pass }
        let found = judgement(of: capture.subject, at: wall)
            .compare(capture, with: reference, expects: .source, expected: [])
        return found.problem.map { problem in
            let detail = "after everything went back: \(problem.detail)"
            return .fail(Problem(.rollbackUnverified, detail, item: problem.item))
        } ?? .pass
    }

    private func recheckVerdict(_ capture: Capture, _ placement: Placement, _ wall: WallTime) -> Verdict {
        guard let state = placements[placement] else { return .noBaseline }
        if case .rolledBack = state.phase { return rollbackVerdict(capture, placement, wall) }
        let found = standingVerdict(capture, placement, wall)
        // A succeeding run may find changes that the previous run already made.
        let isAdoptable = definition.succession != nil && !state.touched && found != .pass
        return isAdoptable && targetVerdict(capture, placement, wall) == .pass ? .pass : found
    }

    /// What the capture after a change is compared with.
    func reference(for placement: Placement) -> Capture? { baselines[.placement(placement)] }

    /// The changes that other layers on its host are expected to cause there as well, because the evidence of a host in
    /// several layers shows all of them.
    func expectedChanges(at placement: Placement, including own: Bool) -> [ItemReference] {
        placements(of: placement.host).filter { other in
            other == placement ? own : placements[other]?.touched == true
        }.flatMap { plan.layer($0.layer)?.expects ?? [] }
    }
}

extension Verdict {
    fileprivate static let noBaseline = Verdict.inconclusive(
        Problem(.baselineIncomplete, "there is no baseline to compare with"))
}

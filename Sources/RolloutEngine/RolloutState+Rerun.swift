import OperatorCommands
import UpgradeDomain

/// Steps that run again: the one that failed, or, if their verification failed, every step from a given one on.
extension RolloutState {
    func rerunRefusal(_ host: HostName, signedOffBy owner: Owner?, from name: StepName?) -> RequestRefusal? {
        guard hosts[host] != nil else { return unknown(host) }
        if isAborted {
            return RequestRefusal("an aborted run never goes forward again", remedy: "recheck it or roll it back")
        }
        if let campaign, !campaignIsDone(verified: false) {
            return RequestRefusal(
                "the rollback of \(campaign.scope.description) has not ended", remedy: "wait for its end", next: watch)
        }
        if let open = openOperations.sorted().first(where: { operations[$0]?.intent.placement.host == host }) {
            return RequestRefusal("\(open) is not settled", remedy: "recheck \(host) settles it")
        }
        guard let placement = rerunPlacement(of: host, having: name), let last = rerunStart(of: placement) else {
            return RequestRefusal("no step of \(host) has failed", remedy: "recheck it or roll it back")
        }
        let steps = steps(of: placement)
        guard let range = rerunRange(of: placement, from: name) else {
            let names = steps.map(\.name.rawValue).joined(separator: ", ")
            return RequestRefusal(
                "\(placement) has no step \(name?.rawValue ?? "")", remedy: "name one that it has: \(names)")
        }
        if range.lowerBound > last {
            return RequestRefusal(
                "step \(steps[last].name) of \(placement) has not passed",
                remedy: "rerun from \(steps[last].name), or from a step before it")
        }
        if let owner, let refusal = strangerRefusal(owner, layers: [placement.layer]) { return refusal }
        // Where a policy rules, whoever signs the rerun signs off its steps.
        if owner == nil, !isSigned, let strict = steps[range].first(where: { !$0.idempotent }) {
            return RequestRefusal(
                "step \(strict.name) is not declared idempotent",
                remedy: "sign it off with --sign-off OWNER --reason, or roll back")
        }
        return nil
    }

    /// The placement of a host whose steps can run again. One with a failed step comes before one that failed
    /// verification. If there are several, the one that has the named step.
    func rerunPlacement(of host: HostName, having step: StepName? = nil) -> Placement? {
        let failed = placements(of: host).filter {
            placements[$0]?.phase == .failed && (placements[$0]?.touched == true || hasFailedStep($0))
        }
        let ordered = failed.filter { hasFailedStep($0) } + failed
        return ordered.first { placement in
            step.map { name in steps(of: placement).contains { $0.name == name } } ?? true
        }
            ?? ordered.first
    }

    /// The step where a placement continues unless another one is named, and the latest step that may be named: the one
    /// that has not passed, or the last if all have.
    private func rerunStart(of placement: Placement) -> Int? {
        guard let state = placements[placement] else { return nil }
        let last = steps(of: placement).count - 1
        if last < 0 { return nil }
        // The failed step runs again, whatever ran before it.
        if hasFailedStep(placement) { return min(state.stepsDone, last) }
        return state.recorded == .target ? last : min(state.stepsDone, last)
    }

    /// The steps that a rerun runs: only the failed one; or, if it starts before the furthest step that has begun,
    /// every step from there to the last. Nil if the placement has no step with that name.
    private func rerunRange(of placement: Placement, from name: StepName?) -> Range<Int>? {
        guard let state = placements[placement], let last = rerunStart(of: placement) else { return nil }
        let steps = steps(of: placement)
        guard let first = name.map({ name in steps.firstIndex { $0.name == name } }) ?? last else { return nil }
        let isWhole = name != nil || !hasFailedStep(placement) || first + 1 < state.stepsBegun
        return first..<(isWhole ? steps.count : first + 1)
    }

    /// The steps that a host would run again unless a first step is named.
    func rerunSteps(of host: HostName) -> [StepName] {
        guard let placement = rerunPlacement(of: host), let range = rerunRange(of: placement, from: nil) else {
            return []
        }
        return steps(of: placement)[range].map(\.name)
    }

    mutating func rerun(_ host: HostName, from name: StepName?, _ moment: Moment) {
        guard let placement = rerunPlacement(of: host, having: name), let last = rerunStart(of: placement),
            let range = rerunRange(of: placement, from: name) ?? rerunRange(of: placement, from: nil)
        else { return }
        let isWhole = name != nil || range.count > 1 || !hasFailedStep(placement)
        rerunPending.insert(placement)
        failureLog.note(nil, of: placement, isWhole: true)
        placements[placement]?.attempt += 1
        placements[placement]?.rerunsToLast = isWhole
        guard isWhole else { return }
        placements[placement]?.stepsDone = min(range.lowerBound, last)
        lostHosts[host] = nil
    }

    func steps(of placement: Placement) -> [Step] {
        plan.layer(placement.layer).map { steps(of: $0, for: placement.host) } ?? []
    }

    /// Whether the failure that a placement must recover from is a failed step.
    private func hasFailedStep(_ placement: Placement) -> Bool {
        placements[placement]?.phase == .failed
            && unresolvedFailures.contains { $0.placement == placement && $0.operation != nil }
    }
}

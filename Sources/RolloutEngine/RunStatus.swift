package import UpgradeDomain

/// The status of a run, in one word with its details. Derived, never stored.
package enum RunStatus: Hashable, Sendable, CustomStringConvertible {
    case preflight
    case baseline
    case changing(layer: LayerName, batch: Int)
    /// A batch, layer or end boundary is being proved.
    case proving(Boundary)
    /// Nothing more changes until an approval is given; nil if one that it had counts no more.
    case awaitingApproval(before: HoldPoint?)
    case paused
    case held(HoldCode)
    case rollingBack(RollbackScope)
    /// Every placement that the run had touched was rolled back; the worst outcome among them.
    case rolledBack(RollbackOutcome)
    case aborted
    case verified
    /// Verified, except for hosts that an owner retired.
    case verifiedExcept([HostName])
    case finalized
    /// Ended before anything was changed.
    case cancelled
    case superseded(by: RunID)

    package var description: String {
        switch self {
        case .preflight: "in preflight"
        case .baseline: "taking the baseline"
        case .changing(let layer, let batch): "changing layer \(layer), batch \(batch + 1)"
        case .proving(let boundary): "proving \(boundary)"
        case .awaitingApproval(let point): "waiting for an approval" + (point.map { " before \($0)" } ?? "")
        case .paused: "paused"
        case .held(let code): "held: \(code.rawValue)"
        case .rollingBack(let scope): "rolling back \(scope.description)"
        case .rolledBack(let outcome): "rolled back: \(outcome.rawValue)"
        case .aborted: "aborted"
        case .verified: "verified"
        case .verifiedExcept(let hosts): "verified except \(hosts.map(\.rawValue).joined(separator: ", "))"
        case .finalized: "finalized"
        case .cancelled: "cancelled"
        case .superseded(let run): "superseded by \(run)"
        }
    }
}

extension RolloutState {
    package var status: RunStatus {
        if let supersededBy { return .superseded(by: supersededBy) }
        if isFinalized { return .finalized }
        if isCancelled { return .cancelled }
        if let campaign {
            if !campaignIsDone(verified: false), hostsAwaitingSignOff.isEmpty { return .rollingBack(campaign.scope) }
            if isProvingWholeRollback { return .rollingBack(campaign.scope) }
            if let outcome = wholeRollbackOutcome { return .rolledBack(outcome) }
        }
        // If nothing had changed when it failed, an aborted run has nothing to recover from.
        if isHeld, !isAborted || unresolvedFailures.contains(where: { !isRecoverableByCheckingAgain($0) }) {
            return .held(holdingFailure?.problem.code ?? .evidenceUnknown)
        }
        if isAborted { return .aborted }
        if isPaused { return .paused }
        if let wait { return .awaitingApproval(before: wait.wait.holdPoint) }
        switch stage {
        case .preflight: return .preflight
        case .baseline: return .baseline
        case .batch(let layer, let index): return .changing(layer: plan.layers[layer].name, batch: index)
        case .batchBoundary, .layerBoundary, .end: return .proving(boundary)
        case .complete:
            if !reproofs.pending.isEmpty { return .proving(.end) }
            return retired.isEmpty ? .verified : .verifiedExcept(retired.keys.sorted())
        }
    }

    /// The worst outcome, if every placement that the run changed was rolled back.
    private var wholeRollbackOutcome: RollbackOutcome? {
        var outcomes: [RollbackOutcome] = []
        if unresolvedFailures.contains(where: { $0.problem.code == .rollbackUnverified }) {
            outcomes.append(.unverified)
        }
        for state in placements.all.values {
            switch state.phase {
            case .rolledBack(let outcome): outcomes.append(outcome)
            case .waiting: break
            case .retired:
                // If a machine left after it was changed, its present state is unknown.
                if state.touched { outcomes.append(.unverified) }
            case .checked, .changing, .warmingUp, .soaking, .soaked, .failed, .rollbackPending, .rollingBack,
                .provingRollback:
                if state.touched { return nil }
            }
        }
        if outcomes.contains(.failed) { return .failed }
        if outcomes.contains(.refused) { return .refused }
        return outcomes.contains(.unverified) ? .unverified : outcomes.isEmpty ? nil : .verified
    }

    /// Whether nothing will happen until a person acts; the driver may end.
    package var isAtRest: Bool {
        if isClosed { return true }
        guard awaitedOperations.isEmpty, postFailurePending.isEmpty, rechecks.pending.isEmpty, rerunPending.isEmpty
        else {
            return false
        }
        if campaignLayer != nil || isProvingWholeRollback || !rerunsWarmingUp.isEmpty { return false }
        if isHeld, !isAborted {
            if stage == .preflight && !hostsNotAnswered.isEmpty { return false }
            if stage == .baseline && !subjectsNotCaptured.isEmpty { return false }
        }
        switch status {
        case .paused: return !activePlacements.contains { isSampled($0) }
        case .held, .aborted, .rolledBack, .verified, .verifiedExcept, .finalized, .cancelled, .superseded: return true
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .rollingBack: return false
        }
    }
}

/// What is needed to continue a run.
package enum Resumption: Hashable, Sendable {
    /// Nothing: the run is closed.
    case closed
    /// A person's decision, which is recorded: the run was paused, or a boundary had failed.
    case decision
    /// A driver, from the run's present state. Operations in flight are finished first. Only a run at rest has a
    /// decision to take back.
    case driver
    /// Nothing: a process is driving it.
    case underWay
}

extension RolloutState {
    /// - Parameter isDriven: whether a process is driving the run now.
    package func resumption(isDriven: Bool) -> Resumption {
        if isClosed { return .closed }
        if (isPaused && !isAborted) || (isHeld && (isDriven || isAtRest)) { return .decision }
        return isDriven ? .underWay : .driver
    }
}

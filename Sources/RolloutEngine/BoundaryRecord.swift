package import UpgradeDomain

/// What an operator needs at a failed boundary: where the run stopped, why, what was touched, and what can be done
/// next.
package struct BoundaryRecord: Hashable, Sendable {
    /// The last boundary that passed; nil if none has.
    package var completed: Boundary?
    package var stopped: Boundary
    package var failures: [Failure]
    package var touched: [Placement]
    /// Changed by this run, then rolled back and verified.
    package var rolledBack: [Placement]
    package var untouched: [Placement]
    /// Untouched placements whose turn had not come; in scope of the next resume.
    package var skipped: [Placement]
    /// Operations that have not ended, or whose outcome is unknown.
    package var inFlight: [OperationState]
    /// Whether evidence can be taken in the fleet's present state, without changing anything.
    package var isSafeToVerifyInPlace: Bool
    /// Smallest scope first.
    package var options: [RecoveryOption]
    /// What the layer's owner declared to count as a failed intermediate step.
    package var failedWhen: [String]
}

/// A possible next step after a failed boundary.
package enum RecoveryOption: Hashable, Sendable {
    /// Capture and compare the host again after someone repaired it.
    case recheck(host: HostName)
    /// Run these steps again in this order: the one that failed, or the last one, and any steps that an earlier rerun
    /// left open.
    case rerun(host: HostName, steps: [StepName], needsSignOff: Bool)
    case rollback(scope: RollbackScope)
    case signOff(hosts: [HostName])
    /// Every failure is resolved: continue.
    case resume
    /// The host's address or key is wrong, or the machine is gone.
    case retire(host: HostName)
    /// Nothing was changed: end the run, which frees its hosts.
    case cancel
}

extension RecoveryOption {
    /// How many hosts and layers it affects; the options of a record are in this order.
    package var width: Int {
        switch self {
        case .resume: 0
        case .recheck: 1
        case .rerun: 2
        case .rollback(.host): 3
        case .rollback(.layer): 4
        case .rollback(.all): 5
        case .signOff: 6
        case .retire: 7
        case .cancel: 8
        }
    }

    var words: String {
        switch self {
        case .resume: "resume"
        case .recheck(let host): "recheck \(host)"
        case .rerun(let host, let steps, _): "rerun \(steps.words) of \(host)"
        case .rollback(let scope): "roll back \(scope.description)"
        case .signOff(let hosts): "sign off \(hosts.map(\.rawValue).joined(separator: ", "))"
        case .retire(let host): "retire \(host)"
        case .cancel: "cancel the run"
        }
    }
}

extension RolloutState {
    /// The record of the boundary where the run is held; nil if it is not held.
    package var boundaryRecord: BoundaryRecord? {
        guard isHeld, let failure = holdingFailure else { return nil }
        let open = openOperations.sorted().compactMap { operations[$0] }
        let layer = failure.placement.flatMap { plan.layer($0.layer) }
        return BoundaryRecord(
            completed: boundaryBefore(failure.boundary), stopped: failure.boundary, failures: failures,
            touched: touchedPlacements,
            rolledBack: orderedPlacements.filter { placements[$0]?.phase == .rolledBack(.verified) },
            untouched: orderedPlacements.filter {
                placements[$0]?.touched != true && placements[$0]?.phase != .rolledBack(.verified)
            }, skipped: orderedPlacements.filter { placements[$0]?.phase == .waiting }, inFlight: open,
            isSafeToVerifyInPlace: open.isEmpty && lostHosts.isEmpty, options: recoveryOptions,
            failedWhen: layer?.failedWhen ?? [])
    }

    private var recoveryOptions: [RecoveryOption] {
        forwardOptions + (refusal(of: .cancel) == nil ? [.cancel] : [])
    }

    private var forwardOptions: [RecoveryOption] {
        if !hostsAwaitingSignOff.isEmpty {
            let again = [campaign?.scope].compactMap { $0 }.filter {
                refusal(of: .rollback(scope: $0, breakGlass: nil)) == nil
            }
            return hostsAwaitingSignOff.map { .recheck(host: $0) } + again.map { .rollback(scope: $0) }
                + [.signOff(hosts: hostsAwaitingSignOff)]
        }
        if refusal(of: .resume) == nil { return [.resume] + rollbackOptions(for: failedHosts) }
        let hosts = failedHosts
        // Repairing a host cannot renew an approval.
        if holdingFailure?.problem.code == .approvalEnded { return rollbackOptions(for: hosts) }
        // A placement that rolled back by itself is neither at its target nor known to be in its old state. Its
        // rollback must be proved first.
        let changed = hosts.filter { !hasGoneBack($0) }
        let rechecks = changed.filter { refusal(of: .recheck(host: $0)) == nil }.map {
            RecoveryOption.recheck(host: $0)
        }
        let reruns = changed.compactMap { host -> RecoveryOption? in
            let steps = rerunSteps(of: host)
            guard !steps.isEmpty, !isAborted else { return nil }
            let isRefused = refusal(of: .rerun(host: host, signedOffBy: nil)) != nil
            return .rerun(host: host, steps: steps, needsSignOff: isRefused)
        }
        let gone = hosts.filter { host in
            lostHosts[host] != nil
                && placements(of: host).last.flatMap { definition.owners[$0.layer]?.first }
                    .map { refusal(of: .retire(host: host, owner: $0)) == nil } == true
        }
        return rechecks + reruns + rollbackOptions(for: hosts) + gone.map { .retire(host: $0) }
    }

    private var failedHosts: [HostName] {
        var seen: Set<HostName> = []
        return unresolvedFailures.compactMap(\.host).filter { seen.insert($0).inserted }
    }

    private func hasGoneBack(_ host: HostName) -> Bool {
        unresolvedFailures.contains {
            $0.host == host && $0.problem.code == .changeReverted
                && $0.placement.flatMap { placements[$0]?.recorded } == .source
        }
    }

    private func rollbackOptions(for hosts: [HostName]) -> [RecoveryOption] {
        let byHost = hosts.map { RollbackScope.host(name: $0) }
        let byLayer = holdingFailure?.placement.map { [RollbackScope.layer(name: $0.layer)] } ?? []
        return (byHost + byLayer + [.all]).filter { refusal(of: .rollback(scope: $0, breakGlass: nil)) == nil }
            .map { .rollback(scope: $0) }
    }

    private func boundaryBefore(_ boundary: Boundary) -> Boundary? {
        switch boundary {
        case .preflight: return nil
        case .baseline: return .preflight
        case .batch(let name, let index):
            if index > 0 { return .batch(layer: name, index: index - 1) }
            guard let layer = layerIndex(of: name), layer > 0 else { return .baseline }
            return .layer(plan.layers[layer - 1].name)
        case .layer(let name):
            let last = layerIndex(of: name).map { batches[$0].count - 1 } ?? 0
            return .batch(layer: name, index: last)
        case .end: return plan.layers.last.map { .layer($0.name) }
        }
    }
}

extension [StepName] {
    /// Such as `step redeploy`, or `steps migrate, redeploy`.
    package var words: String {
        (count == 1 ? "step " : "steps ") + map(\.rawValue).joined(separator: ", ")
    }
}

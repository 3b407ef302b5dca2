package import UpgradeDomain

extension RolloutState {
    /// The failure that a placement must recover from. A failure of its host counts too.
    package func unresolvedFailure(of placement: Placement) -> Failure? {
        failureLog.unresolved(of: placement)
    }

    /// The last lines that the script, guardrail or command surface behind a failure printed, on stdout or stderr;
    /// empty if it printed none.
    package func output(of failure: Failure) -> [String] {
        guard let id = failure.ranLast else { return failure.printed }
        switch operations[id]?.fate {
        case .ended(let record), .unconfirmed(let record, _): return record.lastLines
        case .intended, .running, .uncertain, .withdrawn, .tombstoned, nil: return []
        }
    }

    mutating func fail(placement: Placement, _ problem: Problem, operation: OperationID? = nil, _ moment: Moment) {
        // Evidence ordered before a rollback was requested no longer decides.
        guard !isRollingBack(placement) else { return }
        latch(
            Failure(
                boundary: boundary, host: placement.host, placement: placement, subject: .placement(placement),
                problem: problem, operation: operation, ranLast: operation, at: moment.wall))
        placements[placement]?.enter(.failed, moment)
        placements[placement]?.problem = problem
        placements[placement]?.rerun = nil
        placements[placement]?.rerunsToLast = false
    }

    mutating func fail(host: HostName, _ problem: Problem, _ moment: Moment) {
        latch(Failure(boundary: boundary, host: host, problem: problem, at: moment.wall))
    }

    mutating func fail(_ capture: Capture, _ problem: Problem, _ moment: Moment) {
        let subject = capture.subject
        switch subject {
        case .placement(let placement):
            switch stage {
            case .preflight, .baseline:
                latch(
                    Failure(
                        boundary: boundary, host: placement.host, placement: placement, subject: subject,
                        problem: problem, at: moment.wall))
                placements[placement]?.problem = problem
            case .batch, .batchBoundary, .layerBoundary, .end, .complete:
                fail(placement: placement, problem, moment)
            }
        case .layer, .fleet:
            latch(
                Failure(
                    boundary: boundary, subject: subject, problem: problem, at: moment.wall,
                    printed: capture.printed(behind: problem)))
        }
    }

    /// Marks the boundary as failed. Every placement that had begun is captured once, so that decisions are made with
    /// fresh evidence.
    mutating func latch(_ failure: Failure) {
        if let host = failure.host, isRetired(host) { return }
        var failure = failure
        if failure.operation == nil, failure.printed.isEmpty, let placement = failure.placement {
            failure.printed = placements[placement]?.latest?.printed(behind: failure.problem) ?? []
        }
        failureLog.note(failure)
        isHeld = true
        switch stage {
        case .preflight, .baseline: return
        case .batch, .batchBoundary, .layerBoundary, .end, .complete: break
        }
        let concerned = Set(activePlacements + [failure.placement].compactMap { $0 })
        postFailurePending.formUnion(
            concerned.filter { placements[$0]?.phase != .waiting && lostHosts[$0.host] == nil && !isRetired($0.host) })
        if let placement = failure.placement, lostHosts[placement.host] == nil { postFailurePending.insert(placement) }
    }

    /// Resolves the failures of a placement, and those of its whole host once no placement there is failed.
    mutating func resolveFailures(of placement: Placement, as resolution: Resolution) {
        failureLog.resolve(as: resolution) { $0.placement == placement }
        guard placements(of: placement.host).allSatisfy({ $0 == placement || !isFailed($0) }) else { return }
        failureLog.resolve(as: resolution) { $0.placement == nil && $0.host == placement.host }
    }

    private func isFailed(_ placement: Placement) -> Bool {
        phase(of: placement, has: [.failed, .goingBack, .unproved])
    }

    /// Whether nothing is wrong with a host any more: all its failures are resolved.
    package func isRecovered(_ host: HostName) -> Bool {
        lostHosts[host] == nil && placements(of: host).allSatisfy { !isFailed($0) }
            && unresolvedFailures.allSatisfy { $0.host != host }
    }

    mutating func resolveFailures(of host: HostName, as resolution: Resolution) {
        failureLog.resolve(as: resolution) { $0.host == host }
    }

    /// Resolves failures of a whole host, such as a lost connection.
    mutating func resolveHostFailures(of host: HostName) {
        failureLog.resolve(as: .repairedByHand) { $0.host == host && $0.placement == nil }
    }

    mutating func resolveRollbackRequests() {
        failureLog.resolve(as: .rolledBackVerified) { $0.problem.code == .rollbackRequested }
    }
}

extension Capture {
    /// What the command surface behind a problem printed last; empty for any other problem.
    fileprivate func printed(behind problem: Problem) -> [String] {
        if let name = problem.item?.surface { return surface(name)?.printed ?? [] }
        // If a path gave no answer, the problem names no item.
        guard problem.code == .pathFailed else { return [] }
        return surfaces.first { $0.role == .path }?.printed ?? []
    }
}

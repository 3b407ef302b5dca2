import Approvals
package import UpgradeDomain

/// The first thing in a record that nobody had permitted when it was recorded.
package struct PermissionFault: Error, Hashable, Sendable {
    /// The event's number.
    package let sequence: UInt64
    package let message: String
}

extension RolloutState {
    /// Whether signatures permitted everything that a record says was changed: those of builders its start, and
    /// statements each step, each recovery, each statement itself. What a run by claims recorded as approved at its
    /// start is not judged here.
    ///
    /// - Parameter events: the whole record of a run, in order.
    package static func permissionFault(in events: [RecordedEvent]) -> PermissionFault? {
        guard var state = fold(Array(events.prefix(1)), at: .zero), let first = events.first else { return nil }
        if let words = state.startFault { return PermissionFault(sequence: first.sequence, message: words) }
        for event in events.dropFirst() {
            if let words = state.permissionFault(of: event.event, at: event.recordedAt) {
                return PermissionFault(sequence: event.sequence, message: words)
            }
            state.apply(event, at: .zero)
        }
        return nil
    }

    private var startFault: String? {
        if case .unverifiable(let words) = authority.basis { return "its policy does not verify: \(words)" }
        for layer in definition.plan.layers {
            if let lack = authority.policy?.releaseLack(of: layer) { return "nobody had permitted its start: \(lack)" }
        }
        let recorded = definition.authority?.statements ?? []
        let missing = recorded.first { signed in !authority.given.contains { $0.signed == signed } }
        return missing.map { "a statement that it starts with does not count: \(presentRefusal($0)?.message ?? "")" }
    }

    private func permissionFault(of event: RunEvent, at wall: WallTime) -> String? {
        switch event {
        case .requested(let request):
            if case .present(let signed) = request.action {
                return presentRefusal(signed).map { "the statement does not count: \($0.message)" }
            }
            guard isSigned, let lack = lack(for: request.action, at: wall) else { return nil }
            return "nobody had permitted the request: \(lack.words)"
        case .operationIntended(let intent):
            let placement = intent.placement
            switch intent.action {
            case .step where unresolvedFailure(of: placement) == nil:
                return approvalWait(before: placement, at: wall).map {
                    "nobody had permitted \(intent.id): \($0.lacking)"
                }
            case .step:
                return rerunPending.contains(placement) ? nil : "nobody had asked for \(intent.id), a rerun"
            case .rollback:
                let isAsked = campaign?.layers.joined().contains(placement) == true
                return isAsked ? nil : "nobody had asked for \(intent.id)"
            }
        case .runStarted, .driverAttached, .driverDetached, .preflightRecorded, .captured, .operationWithdrawn,
            .operationStarted, .operationUncertain, .operationEnded, .operationConfirmed, .operationReverted,
            .operationTombstoned, .placementSoaked, .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited,
            .evidencePruned:
            return nil
        }
    }
}

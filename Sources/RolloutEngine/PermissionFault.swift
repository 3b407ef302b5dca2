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
    /// start is not judged here. Whoever made it, a record holds nothing but operations of its own plan, each intended
    /// before it began, and moves that follow from what is before them.
    ///
    /// - Parameter events: the whole record of a run, in order.
    package static func permissionFault(in events: [RecordedEvent]) -> PermissionFault? {
        guard var state = fold(Array(events.prefix(1)), at: .zero), let first = events.first else { return nil }
        if let words = state.startFault { return PermissionFault(sequence: first.sequence, message: words) }
        for event in events.dropFirst() {
            let words =
                state.permissionFault(of: event.event, at: event.recordedAt)
                ?? state.refusedMove(applying: event).map { "it does not follow from the record: \($0)" }
            if let words { return PermissionFault(sequence: event.sequence, message: words) }
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
        case .operationIntended(let intent): return planFault(of: intent) ?? permissionFault(of: intent, at: wall)
        case .operationWithdrawn(let id, _), .operationStarted(let id), .operationUncertain(let id, _),
            .operationConfirmed(let id), .operationTombstoned(let id):
            return unintended(id)
        case .operationEnded(let record): return unintended(record.id)
        case .operationReverted(let id, _): return unintended(id)
        case .runStarted, .driverAttached, .driverDetached, .preflightRecorded, .captured, .placementSoaked,
            .deadlinePassed, .watchInterrupted, .hostLost, .approvalAwaited, .evidencePruned:
            return nil
        }
    }

    private func permissionFault(of intent: OperationIntent, at wall: WallTime) -> String? {
        let placement = intent.placement
        switch intent.action {
        case .step where unresolvedFailure(of: placement) == nil:
            return approvalWait(before: placement, at: wall).map { "nobody had permitted \(intent.id): \($0.lacking)" }
        case .step:
            return rerunPending.contains(placement) ? nil : "nobody had asked for \(intent.id), a rerun"
        case .rollback:
            let isAsked = campaign?.layers.joined().contains(placement) == true
            return isAsked ? nil : "nobody had asked for \(intent.id)"
        }
    }

    /// Why an operation is none of the plan that people approved.
    private func planFault(of intent: OperationIntent) -> String? {
        let placement = intent.placement
        guard intent.planDigest == definition.planDigest else {
            return "\(intent.id) is of the plan \(intent.planDigest.short), and the run has another"
        }
        guard let layer = plan.layer(placement.layer), placements[placement] != nil else {
            return "the plan has no placement \(placement)"
        }
        switch intent.action {
        case .step(let name):
            guard layer.steps.contains(where: { $0.name == name }) else {
                return "layer \(layer.name) of the plan has no step '\(name)'"
            }
        case .rollback:
            guard layer.rollback.command != nil else { return "layer \(layer.name) of the plan has no rollback" }
        }
        return nil
    }

    private func unintended(_ id: OperationID) -> String? {
        operations[id] == nil ? "nobody had intended \(id)" : nil
    }

    /// Applies an event; what it would have moved against the record, in words.
    private mutating func refusedMove(applying event: RecordedEvent) -> String? {
        let known = failures.count
        apply(event, at: .zero)
        return failures.dropFirst(known).first { $0.problem.code == .illegalMove }?.problem.detail
    }
}

package import UpgradeDomain

extension RolloutState {
    /// Folds recorded events into a state; the first must be `runStarted`. `now` is used as the monotonic time of every
    /// event, so that deadlines and soaks start again after a restart. Nil if there is no first event.
    package static func fold(_ events: [RecordedEvent], at now: MonotonicTime) -> RolloutState? {
        guard let first = events.first, case .runStarted(let definition) = first.event else { return nil }
        var state = RolloutState(
            definition: definition, startedAt: first.recordedAt, hash: first.hash, at: now)
        state.sequence = first.sequence
        for event in events.dropFirst() { state.apply(event, at: now) }
        return state
    }

    /// Applies one recorded event. Total: an event that does not fit changes only the sequence number.
    package mutating func apply(_ recorded: RecordedEvent, at now: MonotonicTime) {
        sequence = recorded.sequence
        chainHead = recorded.hash
        lastEventAt = recorded.recordedAt
        placements.beginEvent()
        let moment = Moment(sequence: recorded.sequence, wall: recorded.recordedAt, monotonic: now)
        switch recorded.event {
        case .runStarted: break
        case .driverAttached(let driver): attach(driver, moment)
        case .driverDetached: isDetached = true
        case .evidencePruned: break
        case .requested(let request): take(request, moment)
        case .preflightRecorded(let record): take(record, moment)
        case .captured(let record): take(record, moment)
        case .operationIntended(let intent): intend(intent, moment)
        case .operationWithdrawn(let id, _): close(id, .withdrawn, moment)
        case .operationTombstoned(let id): close(id, .tombstoned, moment)
        case .operationStarted(let id): run(id, moment)
        case .operationUncertain(let id, _): _ = operationTable.settle(id, as: .uncertain)
        case .operationEnded(let record): end(record, moment)
        case .operationConfirmed(let id): confirm(id, moment)
        case .operationReverted(let id, let record): revert(id, record, moment)
        case .placementSoaked(let placement, let attempt): soak(placement, attempt: attempt, moment)
        case .deadlinePassed(let record): take(record, moment)
        case .watchInterrupted(let interruption): take(interruption, moment)
        case .hostLost(let loss): take(loss, moment)
        case .approvalAwaited(let wait): take(wait, moment)
        }
        holdForRefusedMoves(moment)
        advance(moment)
        endWait(moment)
    }

    /// No build records a sequence that leads here, so a person must look at the run before anything new starts.
    private mutating func holdForRefusedMoves(_ moment: Moment) {
        for placement in placements.changed {
            guard let move = placements.all[placement]?.refusedMove, let state = placements.all[placement] else {
                continue
            }
            placements[placement]?.refusedMove = nil
            let detail =
                "event \(moment.sequence) does not fit the record: it would move \(placement) from \(state.phase.kind.rawValue) "
                + "to \(move.rawValue)"
            fail(host: placement.host, Problem(.illegalMove, detail), moment)
        }
    }

    // MARK: Driving

    private mutating func attach(_ driver: Driver, _ moment: Moment) {
        let isRestart = self.driver != nil
        self.driver = driver
        isDetached = false
        advanceMark = moment.monotonic
        lostHosts = [:]
        guard isRestart else { return }
        restartClocks(moment)
    }

    /// After a restart or a pause, soaks begin again, and earlier results are proved again instead of trusted.
    mutating func restartClocks(_ moment: Moment) {
        advanceMark = moment.monotonic
        for (placement, state) in placements.all {
            restartWatch(of: placement, moment)
            if state.phase == .soaked, stage != .complete { reproofs.ask(placement, at: moment.sequence) }
        }
    }

    /// Placements under watch start their watch again, and checks made before a change are repeated.
    private mutating func restartWatch(of placement: Placement, _ moment: Moment) {
        switch placements[placement]?.phase {
        case .soaking: placements[placement]?.enter(.warmingUp, moment)
        case .checked: placements[placement]?.enter(.waiting, moment)
        case .warmingUp, .provingRollback, .changing:
            placements[placement]?.phaseMark = moment.monotonic
            placements[placement]?.lastLook = nil
            placements[placement]?.captured = [:]
        case .waiting, .soaked, .failed, .rollbackPending, .rollingBack, .rolledBack, .retired, nil: break
        }
    }

    private mutating func take(_ interruption: WatchInterruption, _ moment: Moment) {
        lastInterruption = NotedInterruption(sequence: moment.sequence, interruption: interruption)
        if let placement = interruption.placement {
            restartWatch(of: placement, moment)
            placements[placement]?.interruptions += 1
        } else {
            advanceMark = moment.monotonic
            for placement in placements.all.keys { restartWatch(of: placement, moment) }
        }
    }

    // MARK: Preflight

    private mutating func take(_ record: PreflightRecord, _ moment: Moment) {
        let host = record.host
        if let earlier = preflight[host], earlier.agent != record.agent {
            fail(
                host: host, Problem(.machineChanged, "\(host) answers with another agent identity than before"), moment)
            return
        }
        if let twin = machines[record.agent], twin != host {
            fail(
                host: host,
                Problem(.machineDuplicated, "\(host) and \(twin) are one machine: agent \(record.agent)"), moment)
            return
        }
        preflight[host] = record
        machines[record.agent] = host
        if let problem = record.problems.first {
            fail(host: host, Problem(problem.code, problem.detail), moment)
        } else if stage == .preflight {
            for placement in placements(of: host) { pending.remove(.placement(placement)) }
        }
    }

    // MARK: Operations

    private mutating func intend(_ intent: OperationIntent, _ moment: Moment) {
        operationTable.intend(intent)
        advanceMark = moment.monotonic
        switch intent.action {
        case .step:
            let isRerun = unresolvedFailure(of: intent.placement) != nil
            if let state = placements[intent.placement] {
                placements[intent.placement]?.beforeOperation = Standing(
                    touched: state.touched, recorded: state.recorded, stepsBegun: state.stepsBegun)
            }
            placements[intent.placement]?.rerun = isRerun ? intent.id : nil
            if !isRerun, placements[intent.placement]?.stepsDone == 0 {
                placements[intent.placement]?.attemptsBegun[intent.attempt] = moment.wall
            }
            placements[intent.placement]?.enter(.changing, moment)
            placements[intent.placement]?.attempt = intent.attempt
            rerunPending.remove(intent.placement)
        case .rollback:
            placements[intent.placement]?.enter(.rollingBack, moment)
            placements[intent.placement]?.rollbackAttempt = intent.attempt
            placements[intent.placement]?.rollbacksBegun[intent.attempt] = moment.wall
        }
    }

    private mutating func run(_ id: OperationID, _ moment: Moment) {
        if let intent = operationTable.settle(id, as: .running) { touch(intent, moment) }
    }

    private mutating func touch(_ intent: OperationIntent, _ moment: Moment) {
        guard case .step(let name) = intent.action else { return }
        placements[intent.placement]?.touched = true
        placements[intent.placement]?.record(.between, moment)
        let position = (steps(of: intent.placement).firstIndex { $0.name == name } ?? 0) + 1
        let begun = placements[intent.placement]?.stepsBegun ?? 0
        placements[intent.placement]?.stepsBegun = max(begun, position)
    }

    /// The operation never ran: its placement returns to where it was before the intent.
    private mutating func close(_ id: OperationID, _ fate: OperationState.Fate, _ moment: Moment) {
        guard let intent = operationTable.settle(id, as: fate) else { return }
        let placement = intent.placement
        switch intent.action {
        case .step:
            placements[placement]?.attempt += 1
            if placements[placement]?.stepsDone == 0 { placements[placement]?.attemptsBegun[intent.attempt] = nil }
            // A rollback that was requested meanwhile continues.
            guard !isRollingBack(placement) else { return }
            let stepsDone = placements[placement]?.stepsDone ?? 0
            if unresolvedFailure(of: placement) != nil {
                placements[placement]?.enter(.failed, moment)
            } else {
                placements[placement]?.enter(stepsDone == 0 ? .waiting : .changing, moment)
            }
        case .rollback:
            let next = max(placements[placement]?.rollbackAttempt ?? 1, intent.attempt + 1)
            placements[placement]?.rollbackAttempt = next
            placements[placement]?.rollbacksBegun[intent.attempt] = nil
        }
    }

    private mutating func end(_ record: OperationRecord, _ moment: Moment) {
        guard let operation = operations[record.id], operation.isUnended else { return }
        guard operation.intent.revert != nil, record.outcome.isConfirmable else {
            conclude(operation.intent, record, problem(of: record, operation.intent), moment)
            return
        }
        _ = operationTable.settle(record.id, as: .unconfirmed(record, since: moment.wall))
        advanceMark = moment.monotonic
        noteChange(operation.intent, record, moment)
        // A failure fails its boundary at once, confirmed or not.
        if let problem = problem(of: record, operation.intent) { endStep(operation.intent, problem, moment) }
    }

    private mutating func confirm(_ id: OperationID, _ moment: Moment) {
        guard let operation = operations[id], case .unconfirmed(let record, _) = operation.fate else { return }
        if problem(of: record, operation.intent) == nil {
            conclude(operation.intent, record, nil, moment)
        } else {
            close(operation.intent, record, moment)
        }
    }

    private mutating func close(_ intent: OperationIntent, _ record: OperationRecord, _ moment: Moment) {
        _ = operationTable.settle(intent.id, as: .ended(record))
        advanceMark = moment.monotonic
    }

    private mutating func revert(_ id: OperationID, _ rollback: OperationRecord, _ moment: Moment) {
        guard let operation = operations[id], case .unconfirmed(let record, _) = operation.fate,
            let revert = operation.intent.revert
        else { return }
        failureLog.resolve(as: .settled) { $0.operation == id && $0.problem.code == .operationUnsettled }
        let passed = rollback.outcome == .exited(code: 0)
        let words =
            "nobody confirmed it within \(revert.withinSeconds) s, so the host ran its rollback by itself"
            + (passed ? "" : ", and that failed: \(rollback.outcome.sentence)")
        conclude(operation.intent, record, Problem(.changeReverted, words), moment)
        // The rollback covers the whole change, so every step must run again.
        if case .step = operation.intent.action {
            let placement = operation.intent.placement
            let count = steps(of: placement).count
            placements[placement]?.stepsDone = 0
            placements[placement]?.stepsBegun = count
        }
        if passed { placements[operation.intent.placement]?.record(.source, moment) }
    }

    private mutating func noteChange(_ intent: OperationIntent, _ record: OperationRecord, _ moment: Moment) {
        placements[intent.placement]?.repairedByHand = false
        placements[intent.placement]?.forgetFirstLook()
        touch(intent, moment)
        if case .step = intent.action, placements[intent.placement]?.changedAt == nil {
            placements[intent.placement]?.changedAt = record.startedAt
        }
    }

    private mutating func conclude(
        _ intent: OperationIntent, _ record: OperationRecord, _ problem: Problem?, _ moment: Moment
    ) {
        close(intent, record, moment)
        if record.outcome.mayHaveChangedHost {
            noteChange(intent, record, moment)
        } else if case .step = intent.action, let before = placements[intent.placement]?.beforeOperation {
            placements[intent.placement]?.touched = before.touched
            placements[intent.placement]?.record(before.recorded, moment)
            placements[intent.placement]?.stepsBegun = before.stepsBegun
        }
        switch intent.action {
        case .step: endStep(intent, problem, moment)
        case .rollback: endRollback(intent, problem, copyVanished: record.copyVanished == true, moment)
        }
    }

    private mutating func endStep(_ intent: OperationIntent, _ problem: Problem?, _ moment: Moment) {
        let placement = intent.placement
        guard plan.layer(placement.layer) != nil else { return }
        if isRollingBack(placement) {
            // A rollback that was requested meanwhile undoes the step, unless one of its processes is still running.
            if let problem, problem.code == .hostBlocked {
                settleRollback(placement, .failed, problem, by: intent.id, moment)
            }
            return
        }
        if let problem {
            fail(placement: placement, problem, operation: intent.id, moment)
            return
        }
        let steps = steps(of: placement)
        let before = placements[placement]?.stepsDone ?? 0
        // An older build continued from the step that its host rolled back.
        let ended = steps.indices.first { $0 >= before && intent.action == .step(name: steps[$0].name) } ?? before
        let done = ended + 1
        placements[placement]?.stepsDone = done
        let isLast = done >= steps.count
        if isLast { placements[placement]?.record(.target, moment) }
        if unresolvedFailure(of: placement) == nil {
            placements[placement]?.enter(isLast ? .warmingUp : .changing, moment)
        } else if placements[placement]?.rerun != intent.id {
            // It ended after its boundary had failed.
            postFailurePending.insert(placement)
        } else if isLast {
            // A permitted rerun passed. Only evidence taken while it warms up resolves the failure.
            placements[placement]?.rerunsToLast = false
            placements[placement]?.enter(.warmingUp, moment)
        } else if placements[placement]?.rerunsToLast == true {
            placements[placement]?.enter(isAborted ? .failed : .changing, moment)
            if !isAborted { rerunPending.insert(placement) }
        } else {
            resolveFailures(of: placement, as: .rerunPassed)
            placements[placement]?.enter(.changing, moment)
        }
    }

    private mutating func endRollback(
        _ intent: OperationIntent, _ problem: Problem?, copyVanished: Bool, _ moment: Moment
    ) {
        let placement = intent.placement
        if problem == nil { placements[placement]?.record(.source, moment) }
        switch placements[placement]?.phase {
        case .rollingBack, .rollbackPending:
            if let problem {
                let isRefused = problem.code == .guardrailRefused
                settleRollback(
                    placement, isRefused ? .refused : .failed,
                    Problem(
                        isRefused ? .guardrailRefused : copyVanished ? .rollbackCopyVanished : .rollbackFailed,
                        problem.detail), by: intent.id, moment)
            } else {
                // Also if a rollback was requested again while the outcome of the first was unknown: a rollback that
                // passed is proved, not run twice.
                placements[placement]?.enter(.provingRollback, moment)
            }
        case .waiting, .checked, .changing, .warmingUp, .soaking, .soaked, .failed, .provingRollback, .rolledBack,
            .retired, nil:
            // Its host was lost meanwhile, and the rollback counted as failed. A recheck proves what it did.
            break
        }
    }

    mutating func settleRollback(
        _ placement: Placement, _ outcome: RollbackOutcome, _ problem: Problem?, by rollback: OperationID? = nil,
        _ moment: Moment
    ) {
        placements[placement]?.enter(.rolledBack(outcome), moment)
        placements[placement]?.problem = problem
        switch outcome {
        case .verified:
            placements[placement]?.touched = false
            placements[placement]?.changedAt = nil
            placements[placement]?.stepsDone = 0
            placements[placement]?.stepsBegun = 0
            placements[placement]?.adopted = false
            resolveFailures(of: placement, as: .rolledBackVerified)
            if campaignIsDone(verified: true) { proveWholeRollback(moment) }
        case .unverified, .failed, .refused:
            if let problem {
                latch(
                    Failure(
                        boundary: boundary, host: placement.host, placement: placement, subject: .placement(placement),
                        problem: problem, ranLast: rollback, at: moment.wall))
            }
        }
    }

    private func problem(of record: OperationRecord, _ intent: OperationIntent) -> Problem? {
        let what =
            switch intent.action {
            case .step(let name): "step \(name)"
            case .rollback: "rollback"
            }
        switch record.outcome {
        case .exited(0): return nil
        case .exited(let code): return Problem(.stepFailed, "\(what) exited \(code)")
        case .signaled(let signal): return Problem(.stepFailed, "\(what) was ended by signal \(signal)")
        case .timedOut(let survivors):
            return survivors
                ? Problem(.hostBlocked, "\(what) passed its timeout and a process of it will not die")
                : Problem(.stepTimedOut, "\(what) passed its timeout and was ended")
        case .interrupted(let detail): return Problem(.stepInterrupted, "\(what) was interrupted: \(detail)")
        case .rebooted:
            // After a declared reboot, verification decides the outcome.
            if rebootWithinSeconds(of: intent) != nil { return nil }
            return Problem(.stepInterrupted, "\(what) was interrupted: the host was rebooted while it ran")
        case .guardrailRefused(let guardrail, let code):
            return Problem(.guardrailRefused, "\(guardrail) exited \(code); \(what) was not started")
        case .notStarted(let detail): return Problem(.operationRefused, "\(what) was not started: \(detail)")
        }
    }

    // MARK: Time

    private mutating func soak(_ placement: Placement, attempt: Int, _ moment: Moment) {
        guard let state = placements[placement], state.attempt == attempt, state.phase == .soaking else { return }
        placements[placement]?.enter(.soaked, moment)
        accepted[.placement(placement)] = state.latest
        pending.remove(.placement(placement))
        advanceMark = moment.monotonic
    }

    private mutating func take(_ record: DeadlineRecord, _ moment: Moment) {
        let waited = "after \(record.waitedSeconds) s: \(record.waitingFor)"
        let last = placements[record.placement]?.problem
        switch record.kind {
        case .healthy:
            let problem = last.map { Problem($0.code, "not healthy \(waited)", item: $0.item) }
            fail(placement: record.placement, problem ?? Problem(.progressDeadline, waited), moment)
        case .progress:
            fail(placement: record.placement, Problem(.progressDeadline, "no progress \(waited)"), moment)
        case .approval: fail(placement: record.placement, Problem(.approvalEnded, record.waitingFor), moment)
        case .rollbackHealthy:
            settleRollback(
                record.placement, .unverified,
                Problem(.rollbackUnverified, "differs from its state before the change \(waited)", item: last?.item),
                moment)
        }
    }

    private mutating func take(_ loss: HostLoss, _ moment: Moment) {
        lostHosts[loss.host] = loss
        loseProof(of: loss, moment)
        let own = placements(of: loss.host)
        postFailurePending.subtract(own)
        rechecks.drop(own.map(EvidenceSubject.placement))
        let rolling = own.filter { phase(of: $0, has: .goingBack) }
        for placement in rolling where campaign != nil {
            settleRollback(
                placement, .failed, Problem(.rollbackFailed, "\(loss.code.rawValue): \(loss.detail)"), moment)
        }
        guard rolling.isEmpty else { return }
        let active = own.first { placement in
            phase(of: placement, has: .underWay)
                || phase(of: placement, has: .waiting) && activePlacements.contains(placement)
        }
        let unsettled = openOperations.sorted().first { id in
            operations[id].map { $0.intent.placement.host == loss.host && $0.fate != .intended } ?? false
        }
        let problem = unsettled.map { unsettledProblem($0, loss) } ?? Problem(loss.code, loss.detail)
        if let active {
            fail(placement: active, problem, operation: unsettled, moment)
        } else {
            fail(host: loss.host, problem, moment)
        }
    }

    private func unsettledProblem(_ id: OperationID, _ loss: HostLoss) -> Problem {
        let why = "\(loss.code.rawValue), \(loss.detail)"
        if let operation = operations[id], case .unconfirmed = operation.fate, let revert = operation.intent.revert {
            return Problem(
                .operationUnsettled,
                "\(id) could not be confirmed: \(why); its host rolls back by itself \(revert.withinSeconds) s after its end"
            )
        }
        return Problem(.operationUnsettled, "what became of \(id) is unknown: \(why)")
    }
}

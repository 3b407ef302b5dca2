package import UpgradeDomain

/// Where a placement is in its way through a run.
package enum PlacementPhase: Hashable, Sendable {
    /// Its turn has not come, or its drift check is under way.
    case waiting
    /// It is as it was at its last accepted capture; its steps may begin.
    case checked
    /// Its steps are running.
    case changing
    /// Its steps are done; it is not yet seen healthy at the target.
    case warmingUp
    /// It was seen healthy at the target and must stay so.
    case soaking
    /// It stayed healthy for its whole soak.
    case soaked
    /// It failed; only a recovery moves it.
    case failed
    /// A rollback was asked for; the state before it is being captured.
    case rollbackPending
    /// Its rollback may run or is running.
    case rollingBack
    /// Its rollback script passed; it is being compared with the state before the change.
    case provingRollback
    case rolledBack(RollbackOutcome)
    /// An owner took it out of the run.
    case retired
}

/// What a comparison with the state before the change says of a rollback.
package enum RollbackOutcome: String, Codable, Hashable, Sendable, CaseIterable {
    case verified, unverified, failed
    /// A guardrail did not let it begin: nothing was changed.
    case refused
}

/// Which version the recorded facts put on a placement, whatever is observed.
package enum RecordedVersion: String, Hashable, Sendable {
    case source
    /// Some of its steps have run, or one ended badly.
    case between
    case target
}

/// Everything the facts say of one placement.
package struct PlacementState: Hashable, Sendable {
    package internal(set) var phase: PlacementPhase = .waiting
    /// Since when, in wall time, for people.
    package internal(set) var phaseSince: WallTime
    /// The forward attempt, from 1.
    package internal(set) var attempt: Int
    package internal(set) var rollbackAttempt = 1
    /// How many of the layer's steps have passed in this attempt.
    package internal(set) var stepsDone = 0
    /// How many of the layer's steps have begun since it was last at its source: those that a rerun started again have not passed.
    var stepsBegun = 0
    /// A forward operation ran or may have run here, and no verified rollback has undone it.
    package internal(set) var touched = false
    package private(set) var recorded: RecordedVersion = .source
    /// Since when the facts say so.
    package private(set) var recordedSince: WallTime
    package internal(set) var latest: Capture?
    /// What ``latest`` was judged by.
    var judgedBy: JudgedBy?
    /// The accepted state right before the change: what a one-host rollback is compared with.
    package internal(set) var beforeChange: Capture?
    /// The host's time when the first operation that may have changed it began; nil while it is as it was.
    package internal(set) var changedAt: WallTime?
    package internal(set) var beforeRollback: Capture?
    /// What the last judgement found, when it was not a pass.
    package internal(set) var problem: Problem?
    /// The permitted rerun of its failed step, where one was intended.
    package internal(set) var rerun: OperationID?
    /// A permitted rerun goes on to the last step, one after the other, although its run is held.
    var rerunsToLast = false
    package internal(set) var adopted = false
    package internal(set) var repairedByHand = false
    /// The event that began the phase: evidence ordered before it does not count.
    var phaseSequence: UInt64 = 0
    /// Where an event would have moved it that does not fit the record before it; nil again once the run holds for it.
    var refusedMove: PlacementPhase.Kind?
    /// What was true of it before its last forward operation, for the one that turns out to have changed nothing.
    var beforeOperation: Standing?
    /// When the phase began on the monotonic clock; starts again after a restart.
    var phaseMark: MonotonicTime
    /// How often in a row it was not looked at for longer than looks are apart, since its change or rollback.
    var interruptions = 0
    /// The last look at it in this phase, or since the clocks began again.
    var lastLook: Look?

    init(attempt: Int, since start: Moment) {
        self.attempt = attempt
        (phaseSince, recordedSince, phaseMark) = (start.wall, start.wall, start.monotonic)
    }

    mutating func record(_ version: RecordedVersion, _ moment: Moment) {
        guard recorded != version else { return }
        recorded = version
        recordedSince = moment.wall
    }

    /// The version that each component was last seen running.
    package var observed: [ComponentName: Version] {
        var versions: [ComponentName: Version] = [:]
        for reading in latest?.surfaces ?? [] where reading.role == .version && reading.unknown == nil {
            for item in reading.items { versions[ComponentName(item.key)] = Version(item.value) }
        }
        return versions
    }

    /// A move that is not in ``PlacementPhase/transitions`` is not made.
    mutating func enter(_ next: PlacementPhase, _ moment: Moment) {
        // What is learnt of a retired placement, such as the end of its last operation, moves it no more.
        if phase == .retired { return }
        guard PlacementPhase.transitions[phase.kind]?.contains(next.kind) == true else {
            refusedMove = next.kind
            return
        }
        if ![.warmingUp, .soaking].contains(next.kind) { interruptions = 0 }
        phase = next
        phaseSince = moment.wall
        phaseMark = moment.monotonic
        phaseSequence = moment.sequence
        lastLook = nil
        problem = nil
    }
}

/// What the facts put on a placement, apart from its phase.
struct Standing: Hashable, Sendable {
    var touched: Bool
    var recorded: RecordedVersion
    var stepsBegun: Int
}

/// When a look at a placement was, on the monotonic clock.
struct Look: Hashable, Sendable {
    /// Nothing that it saw is older.
    var began: MonotonicTime
    /// When its capture was recorded.
    var ended: MonotonicTime
    /// How long nobody had looked until its end: since the look before it, or since the phase began.
    var unwatched: Duration

    /// A wall clock that was set forward meanwhile makes it older than it is; one set back makes it at most as new as its end.
    init(_ capture: Capture, recordedAt moment: Moment, after state: PlacementState) {
        let milliseconds = max(0, moment.wall.milliseconds - capture.takenAt.milliseconds)
        began = moment.monotonic + .milliseconds(-milliseconds)
        ended = moment.monotonic
        unwatched = moment.monotonic - (state.lastLook?.ended ?? state.phaseMark)
    }
}

/// When an event is folded: the wall time it was recorded, and the monotonic time it is learnt of.
struct Moment {
    var sequence: UInt64
    var wall: WallTime
    var monotonic: MonotonicTime
}

import Approvals
package import UpgradeDomain

/// The version that a placement has according to the recorded facts, whatever is observed.
package enum RecordedVersion: String, Hashable, Sendable {
    case source
    /// Some of its steps have run, or one failed.
    case between
    case target
}

/// All facts about one placement.
package struct PlacementState: Hashable, Sendable {
    package internal(set) var phase: PlacementPhase = .waiting
    /// When the phase began, in wall time, for display.
    package internal(set) var phaseSince: WallTime
    /// The forward attempt, from 1.
    package internal(set) var attempt: Int
    package internal(set) var rollbackAttempt = 1
    /// When the forward attempts of this run began whose first step ran, or may have run.
    package internal(set) var attemptsBegun: [Int: WallTime] = [:]
    /// When the rollbacks of this run began that ran, or may have run, by their attempt.
    package internal(set) var rollbacksBegun: [Int: WallTime] = [:]
    /// When other recoveries of it were requested, by what they did.
    var recoveriesBegun: [StatementAction: [WallTime]] = [:]
    /// How many of the layer's steps have passed in this attempt.
    package internal(set) var stepsDone = 0
    /// How many of the layer's steps have begun since it was last at its source, including steps that a rerun started
    /// again and that have not passed.
    var stepsBegun = 0
    /// A forward operation ran or may have run here, and no verified rollback has undone it.
    package internal(set) var touched = false
    package private(set) var recorded: RecordedVersion = .source
    /// When that became true.
    package private(set) var recordedSince: WallTime
    package internal(set) var latest: Capture?
    /// What ``latest`` was judged by.
    var judgedBy: JudgedBy?
    /// The accepted state right before the change. A rollback of one host is compared with it.
    package internal(set) var beforeChange: Capture?
    /// The host's time when the first operation that may have changed it began; nil while it is unchanged.
    package internal(set) var changedAt: WallTime?
    /// What the first look after the change showed, of the measures that later looks are compared with it by. Empty again
    /// once something changes the host, or a person has repaired it.
    private(set) var firstLook: [ItemReference: String] = [:]
    package internal(set) var beforeRollback: Capture?
    /// What the last judgement found, if it was not a pass.
    package internal(set) var problem: Problem?
    /// The permitted rerun of its failed step, if one was intended.
    package internal(set) var rerun: OperationID?
    /// A permitted rerun continues through the last step, one step after the other, although its run is held.
    var rerunsToLast = false
    package internal(set) var adopted = false
    package internal(set) var repairedByHand = false
    /// The event that began the phase. Evidence ordered before it does not count.
    var phaseSequence: UInt64 = 0
    /// The phase that an event would have moved it to, where the event does not fit the record before it; nil again
    /// once the run is held for it.
    var refusedMove: PlacementPhase.Kind?
    /// Its standing before its last forward operation, to restore if that operation turns out to have changed nothing.
    var beforeOperation: Standing?
    /// When the phase began on the monotonic clock; starts again after a restart.
    var phaseMark: MonotonicTime
    /// How often in a row it was unobserved for longer than the time between captures, since its change or rollback.
    var interruptions = 0
    /// The last capture of it in this phase, or since the clocks restarted.
    var lastLook: Look?
    /// When each surface that has an interval of its own was last captured in this phase.
    var captured: [SurfaceName: MonotonicTime] = [:]

    init(attempt: Int, since start: Moment) {
        self.attempt = attempt
        (phaseSince, recordedSince, phaseMark) = (start.wall, start.wall, start.monotonic)
    }

    mutating func record(_ version: RecordedVersion, _ moment: Moment) {
        guard recorded != version else { return }
        recorded = version
        recordedSince = moment.wall
    }

    /// The version that each component was last observed to run.
    package var observed: [ComponentName: Version] {
        var versions: [ComponentName: Version] = [:]
        for reading in latest?.surfaces ?? [] where reading.role == .version && reading.unknown == nil {
            for item in reading.items { versions[ComponentName(item.key)] = Version(item.value) }
        }
        return versions
    }

    /// Keeps the values that a look after the change is the first to show.
    ///
    /// - Parameter measures: of the placement; others than those since the change do not count.
    mutating func noteFirst(_ look: Capture, _ measures: [ItemReference: Measure]) {
        for (reference, measure) in measures where measure.since == .change && firstLook[reference] == nil {
            guard let item = look.item(reference), item.health != .unknown else { continue }
            firstLook[reference] = item.value
        }
    }

    /// The next look is a first one again.
    mutating func forgetFirstLook() { firstLook = [:] }

    /// A move that is not in ``PlacementPhase/transitions`` is ignored.
    mutating func enter(_ next: PlacementPhase, _ moment: Moment) {
        // A retired placement no longer moves, whatever is learned about it, such as the end of its last operation.
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
        captured = [:]
        problem = nil
    }
}

/// The facts about a placement, apart from its phase.
struct Standing: Hashable, Sendable {
    var touched: Bool
    var recorded: RecordedVersion
    var stepsBegun: Int
}

/// When a placement was captured, on the monotonic clock.
struct Look: Hashable, Sendable {
    /// Nothing in the capture is older than this.
    var began: MonotonicTime
    /// When its capture was recorded.
    var ended: MonotonicTime
    /// Whether it captured all surfaces. Another one ends no soak.
    var isWhole: Bool
    /// How long the placement had been unobserved when the capture ended: since the capture before it, or since the
    /// phase began.
    var unwatched: Duration

    /// If the wall clock was set forward meanwhile, the capture seems older than it is. If it was set back, the capture
    /// seems at most as new as its end.
    init(_ capture: Capture, recordedAt moment: Moment, after state: PlacementState) {
        let milliseconds = max(0, moment.wall.milliseconds - capture.takenAt.milliseconds)
        began = moment.monotonic + .milliseconds(-milliseconds)
        ended = moment.monotonic
        isWhole = capture.isWhole
        unwatched = moment.monotonic - (state.lastLook?.ended ?? state.phaseMark)
    }
}

/// When an event is folded: the wall time when it was recorded, and the monotonic time when it was learned.
struct Moment {
    var sequence: UInt64
    var wall: WallTime
    var monotonic: MonotonicTime
}

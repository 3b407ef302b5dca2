import RolloutEngine
import UpgradeDomain

/// What `status` shows of a run beside its placements. Follows from the run's events alone, so that the ledger can keep
/// it beside them.
struct RunOverview: Codable, Hashable {
    /// The longest list of placements that is kept and shown.
    static let namesShown = 20
    static let furtherFailuresShown = 10

    struct Layer: Codable, Hashable {
        var name: LayerName
        var version: VersionChange
    }

    /// How good the news is.
    enum Tone: String, Codable {
        case good, bad, attention, working
    }

    struct Names: Codable, Hashable {
        var count: Int
        var first: [Placement]

        init(_ placements: [Placement]) {
            count = placements.count
            first = Array(placements.prefix(RunOverview.namesShown))
        }
    }

    struct Hold: Codable, Hashable {
        struct Further: Codable, Hashable {
            var subject: String
            var code: HoldCode
            var detail: String
        }

        var code: HoldCode
        var boundary: String
        var completed: String?
        var subject: String
        var host: HostName?
        var layer: LayerName?
        var detail: String
        /// How it was answered, for people.
        var answer: String?
        var divergent: ItemDelta?
        var touched: Names
        var rolledBack: Names
        var untouched: Names
        var inFlight: [OperationID]
        var isSafeToVerifyInPlace: Bool
        var further: [Further]
    }

    /// What can be done next, narrowest first, until a time: approvals run out.
    struct WaysOn: Codable, Hashable {
        var until: WallTime?
        var commands: [NextCommand]
    }

    var run: RunID
    var plan: String
    var planDigest: Digest
    var version: VersionChange
    var startedAt: WallTime
    var layers: [Layer]
    var status: String
    var tone: Tone
    var boundary: String
    var isAtRest: Bool
    var isHeld: Bool
    var hold: Hold?
    /// In the order of their times; the last has none.
    var waysOn: [WaysOn]

    init(_ state: RolloutState) {
        run = state.definition.run
        plan = state.plan.name
        planDigest = state.definition.planDigest
        version = state.plan.version
        startedAt = state.startedAt
        layers = state.plan.layers.map { Layer(name: $0.name, version: $0.version) }
        status = state.status.description
        tone = Tone(state.status)
        boundary = state.boundary.description
        isAtRest = state.isAtRest
        isHeld = state.isHeld
        hold = Hold(state)
        waysOn = RunOverview.waysOn(from: state)
    }

    /// The next commands at a time that is not before the last event.
    func next(at wall: WallTime) -> [NextCommand] {
        waysOn.first { ways in ways.until.map { wall < $0 } ?? true }?.commands ?? []
    }

    private static func waysOn(from state: RolloutState) -> [WaysOn] {
        let ends = Set(state.definition.approvals.compactMap(\.rollbackUntil)).filter { $0 > state.lastEventAt }
            .sorted()
        var ways: [WaysOn] = []
        for (start, end) in zip([state.lastEventAt] + ends, ends.map(Optional.some) + [nil]) {
            let commands = state.nextCommands(at: start)
            if ways.last?.commands == commands { ways.removeLast() }
            ways.append(WaysOn(until: end, commands: commands))
        }
        return ways
    }
}

extension RunOverview.Hold {
    fileprivate init?(_ state: RolloutState) {
        guard let record = state.boundaryRecord, let failure = state.holdingFailure else { return nil }
        self.init(
            code: failure.problem.code, boundary: record.stopped.description,
            completed: record.completed?.description, subject: failure.whom, host: failure.host,
            layer: failure.placement?.layer, detail: failure.problem.detail, answer: failure.resolution?.words,
            divergent: failure.problem.item, touched: RunOverview.Names(record.touched),
            rolledBack: RunOverview.Names(record.rolledBack), untouched: RunOverview.Names(record.untouched),
            inFlight: record.inFlight.map(\.intent.id), isSafeToVerifyInPlace: record.isSafeToVerifyInPlace,
            further: state.unresolvedFailures.filter { $0 != failure }.prefix(RunOverview.furtherFailuresShown).map {
                Further(subject: $0.whom, code: $0.problem.code, detail: $0.problem.detail)
            })
    }
}

extension Failure {
    fileprivate var whom: String { placement?.description ?? host?.rawValue ?? subject?.description ?? "the run" }
}

extension RunOverview.Tone {
    fileprivate init(_ status: RunStatus) {
        switch status {
        case .verified, .finalized, .rolledBack(.verified): self = .good
        case .held, .rolledBack: self = .bad
        case .paused, .aborted, .rollingBack, .verifiedExcept, .cancelled, .superseded: self = .attention
        case .preflight, .baseline, .changing, .proving: self = .working
        }
    }
}

extension Resolution {
    /// How a failure was answered, for people.
    var words: String {
        switch self {
        case .repairedByHand: "repaired by hand"
        case .rerunPassed: "rerun, proved"
        case .rolledBackVerified: "rolled back, verified"
        case .retired: "retired"
        case .checkedAgain: "checked again"
        case .settled: "settled"
        }
    }
}

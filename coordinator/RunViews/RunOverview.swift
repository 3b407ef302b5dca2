import Approvals
import ContentDigest
package import Ledger
package import RolloutEngine
package import UpgradeDomain

/// What `status` shows of a run besides its placements. It follows from the run's events alone, so that the ledger can
/// store it next to them.
package struct RunOverview: Codable, Hashable {
    /// The maximum length of a list of placements that is stored and shown.
    package static let namesShown = 20
    package static let furtherFailuresShown = 10

    /// A layer and the versions between which it moves.
    package struct Layer: Codable, Hashable {
        package var name: LayerName
        package var version: VersionChange
        /// Within how many seconds a watched placement answers, unless something is wrong.
        package var answersWithinSeconds: Int?
    }

    /// Whether the status is good or bad news.
    package enum Tone: String, Codable {
        case good, bad, attention, working
    }

    /// Why the run stopped.
    package struct Hold: Codable, Hashable {
        /// Another failure at the same stop.
        package struct Further: Codable, Hashable, Sendable {
            package var subject: String
            package var code: HoldCode
            package var detail: String
        }

        package var code: HoldCode
        package var boundary: String
        package var completed: String?
        package var subject: String
        package var host: HostName?
        package var layer: LayerName?
        package var detail: String
        /// How the failure was answered, for people.
        package var answer: String?
        /// The result of the last recheck, for people; nil if there was none.
        package var recheck: String?
        package var divergent: ItemDelta?
        /// The last lines of output of the failed script; nil if there are none.
        package var output: [String]?
        package var touched: Shortlist<Placement>
        package var rolledBack: Shortlist<Placement>
        package var untouched: Shortlist<Placement>
        package var inFlight: [OperationID]
        package var isSafeToVerifyInPlace: Bool
        package var further: Shortlist<Further>
    }

    /// What the run waits for before it changes anything more.
    package struct Wait: Codable, Hashable {
        /// The hold point in words; nil if what was approved counts no more.
        package var before: String?
        package var placement: Placement
        package var asked: [Owner]
        package var since: WallTime
        /// What is missing, in words.
        package var lacking: String
    }

    /// A rollback that ignored guardrails, and that no owner has acknowledged.
    package struct Override: Codable, Hashable {
        package var owner: Owner
        package var scope: String
        package var at: WallTime
    }

    /// The next commands, narrowest first, that are valid until a time, because approvals expire.
    package struct WaysOn: Codable, Hashable {
        package var until: WallTime?
        package var commands: [NextCommand]
    }

    package var run: RunID
    package var plan: String
    package var planDigest: Digest
    package var version: VersionChange
    package var startedAt: WallTime
    package var layers: [Layer]
    package var status: String
    package var tone: Tone
    package var boundary: String
    package var isAtRest: Bool
    package var isHeld: Bool
    /// Whether changed placements are sampled repeatedly; nil if they are not.
    package var isSampling: Bool?
    package var hold: Hold?
    package var wait: Wait?
    /// Who signed an approval of it that counts, sorted; nil where approvals are claims.
    package var signedBy: [Owner]?
    /// In the order of the record; nil if there are none.
    package var openOverrides: [Override]?
    /// Ordered by time; the last one has none.
    package var waysOn: [WaysOn]

    package init(_ state: RolloutState) {
        run = state.definition.run
        plan = state.plan.name
        planDigest = state.definition.planDigest
        version = state.plan.version
        startedAt = state.startedAt
        layers = state.plan.layers.map { layer in
            Layer(
                name: layer.name, version: layer.version,
                answersWithinSeconds: state.frozen.watchLimits[layer.name].map { Int($0.components.seconds) })
        }
        status = state.status.description
        tone = Tone(state.status)
        boundary = state.boundary.description
        isAtRest = state.isAtRest
        isHeld = state.isHeld
        if case .changing = state.status { isSampling = true }
        let record = state.boundaryRecord
        hold = Hold(state, record)
        wait = Wait(state)
        if state.isSigned {
            let given = state.authority.given.filter { $0.statement.purpose == .approve }
            signedBy = Set(given.flatMap(\.people)).sorted()
        }
        let overrides = state.openOverrides.map {
            Override(owner: $0.owner, scope: $0.scope.description, at: $0.at)
        }
        openOverrides = overrides.isEmpty ? nil : overrides
        waysOn = RunOverview.waysOn(from: state, record)
    }

    /// The next commands at a time that is not earlier than the last event.
    package func next(at wall: WallTime) -> [NextCommand] {
        waysOn.first { ways in ways.until.map { wall < $0 } ?? true }?.commands ?? []
    }

    private static func waysOn(from state: RolloutState, _ record: BoundaryRecord?) -> [WaysOn] {
        let last = state.lastEventAt
        let ends = Set(state.approvalEnds).filter { $0 > last }.sorted()
        var ways: [WaysOn] = []
        for (start, end) in zip([last] + ends, ends.map(Optional.some) + [nil]) {
            let commands = state.nextCommands(at: start, from: record)
            if ways.last?.commands == commands { ways.removeLast() }
            ways.append(WaysOn(until: end, commands: commands))
        }
        return ways
    }
}

extension RolloutState {
    /// When what is permitted may change without an event.
    fileprivate var approvalEnds: [WallTime] {
        let statements = authority.given.map(\.statement)
        return definition.approvals.compactMap(\.rollbackUntil)
            + statements.flatMap {
                [$0.notBefore.time, $0.notAfter.time] + [$0.rollback?.until.time].compactMap(\.self)
            }
    }
}

extension RunOverview.Wait {
    /// Nil unless the run waits now.
    fileprivate init?(_ state: RolloutState) {
        guard let pending = state.wait, state.status == .awaitingApproval(before: pending.wait.holdPoint) else {
            return nil
        }
        self.init(
            before: pending.wait.holdPoint?.description, placement: pending.wait.placement, asked: pending.wait.asked,
            since: pending.since, lacking: pending.wait.lacking)
    }
}

extension RunOverview.Hold {
    fileprivate init?(_ state: RolloutState, _ record: BoundaryRecord?) {
        guard let record, let failure = state.holdingFailure else { return nil }
        func names(_ placements: [Placement]) -> Shortlist<Placement> {
            Shortlist(placements, atMost: RunOverview.namesShown)
        }
        self.init(
            code: failure.problem.code, boundary: record.stopped.description,
            completed: record.completed?.description, subject: failure.whom, host: failure.host,
            layer: failure.placement?.layer, detail: failure.problem.detail, answer: failure.resolution?.words,
            recheck: failure.recheck?.words,
            divergent: failure.problem.item, output: state.output(of: failure).nonEmpty, touched: names(record.touched),
            rolledBack: names(record.rolledBack), untouched: names(record.untouched),
            inFlight: record.inFlight.map(\.intent.id), isSafeToVerifyInPlace: record.isSafeToVerifyInPlace,
            further: RunOverview.Hold.further(in: state, atMost: RunOverview.furtherFailuresShown))
    }

    /// The other failures that are not answered yet.
    package static func further(in state: RolloutState, atMost limit: Int) -> Shortlist<Further> {
        let holding = state.holdingFailure
        return Shortlist(state.unresolvedFailures.filter { $0 != holding }, atMost: limit) {
            Further(subject: $0.whom, code: $0.problem.code, detail: $0.problem.detail)
        }
    }
}

extension [String] {
    /// Nil if empty, so that the encoded document leaves the member out.
    package var nonEmpty: [String]? { isEmpty ? nil : self }
}

extension RunOverview.Tone {
    fileprivate init(_ status: RunStatus) {
        switch status {
        case .verified, .finalized, .rolledBack(.verified): self = .good
        case .held, .rolledBack: self = .bad
        case .paused, .awaitingApproval, .aborted, .rollingBack, .verifiedExcept, .cancelled, .superseded:
            self = .attention
        case .preflight, .baseline, .changing, .proving: self = .working
        }
    }
}

extension Recheck {
    /// When the recheck was, and its result.
    package var words: String {
        problem.map { "at \(at.rfc3339): still wrong: \($0.detail)" } ?? "at \(at.rfc3339): passed"
    }
}

extension Resolution {
    /// How a failure was answered, for people.
    package var words: String {
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

extension PlacementOverview {
    package init?(_ placement: Placement, in state: RolloutState) {
        guard let own = state.placements[placement], let place = state.place(of: placement) else { return nil }
        self.init(
            position: place.position, placement: placement, batch: place.batch, phase: own.phase.word,
            failureClass: own.phase == .failed ? own.problem?.code.failureClass.rawValue : nil,
            isPressing: own.phase.isPressing, phaseSince: own.phaseSince, attempt: own.attempt, isTouched: own.touched,
            recorded: own.recorded.rawValue, recordedSince: own.recordedSince, observed: own.observed,
            observedAt: own.latest?.takenAt, isRepairedByHand: own.repairedByHand, isAdopted: own.adopted)
    }
}

/// The first elements of a list, with the total count, so that a shortened list says so.
package struct Shortlist<Element: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    package var count: Int
    package var first: [Element]
    /// How many are not listed.
    package var rest: Int { count - first.count }

    package init<All: Collection>(_ all: All, atMost limit: Int, _ listed: (All.Element) -> Element) {
        count = all.count
        first = all.prefix(limit).map(listed)
    }

    package init(_ all: some Collection<Element>, atMost limit: Int) { self.init(all, atMost: limit) { $0 } }
}

/// A run, for `status`: from the overview that the ledger stores, or from the state that the events fold into.
package struct RunReport: Hashable {
    /// In a layer with more placements than this, only those that failed or are in progress are listed, up to this
    /// number.
    package static let placementsPerLayer = 50

    /// A layer with its placements: all are counted, some are listed.
    package struct Layer: Hashable {
        package var name: LayerName
        package var version: VersionChange
        /// Within how many seconds a watched placement answers, unless something is wrong; nil if not stored.
        package var answersWithinSeconds: Int?
        /// Counts of placements in the same state.
        package var tallies: [PlacementTally]
        /// The listed placements.
        package var placements: [PlacementOverview]
        package var count: Int { tallies.reduce(0) { $0 + $1.count } }
    }

    package var overview: RunOverview
    package var sequence: UInt64
    package var chainHead: Digest
    package var layers: [Layer]

    /// - Parameter limit: how many placements of a layer are listed; nil lists all.
    package init(_ state: RolloutState, placementsPerLayer limit: Int? = nil) {
        let layers = state.batches.map { batches in
            batches.flatMap(\.placements).compactMap { PlacementOverview($0, in: state) }
        }
        self.init(
            RunOverview(state), sequence: state.sequence, chainHead: state.chainHead,
            tallies: layers.flatMap(\.tallies),
            placements: layers.flatMap { all in
                guard let limit, all.count > limit else { return all }
                return Array(all.lazy.filter(\.isPressing).prefix(limit))
            })
    }

    /// - Throws: if the document is not in this build's format.
    package init(_ stored: StoredOverview) throws {
        self.init(
            try CanonicalJSON.stored(RunOverview.self, from: stored.document), sequence: stored.headSequence,
            chainHead: stored.headHash, tallies: stored.tallies, placements: stored.placements)
    }

    private init(
        _ overview: RunOverview, sequence: UInt64, chainHead: Digest, tallies: [PlacementTally],
        placements: [PlacementOverview]
    ) {
        self.overview = overview
        self.sequence = sequence
        self.chainHead = chainHead
        let listed = Dictionary(grouping: placements, by: \.placement.layer)
        let alike = Dictionary(grouping: tallies, by: \.layer)
        layers = overview.layers.map { layer in
            Layer(
                name: layer.name, version: layer.version, answersWithinSeconds: layer.answersWithinSeconds,
                tallies: (alike[layer.name] ?? []).sorted { $0.order < $1.order },
                placements: listed[layer.name] ?? [])
        }
    }
}

extension [PlacementOverview] {
    fileprivate var tallies: [PlacementTally] {
        let alike = Dictionary(grouping: self) { own in
            PlacementTally(
                layer: own.placement.layer, phase: own.phase, failureClass: own.failureClass, observed: own.observed,
                count: 0)
        }
        return alike.map { tally, own in
            var tally = tally
            tally.count = own.count
            return tally
        }
    }
}

extension PlacementTally {
    /// Sorts by the order of phases, then by what distinguishes tallies of one phase.
    fileprivate var order: (Int, String, String) {
        let phase = PlacementPhase(word: phase).flatMap(PlacementPhase.all.firstIndex) ?? PlacementPhase.all.count
        return (phase, failureClass ?? "", observed.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }.joined())
    }
}

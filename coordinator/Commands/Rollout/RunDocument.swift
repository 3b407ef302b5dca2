import CoordinatorRuntime
import Ledger
import OperatorCommands
import RolloutEngine
import UpgradeDomain

/// A run as `--json` shows it.
struct RunDocument: Encodable {
    struct PlacementDocument: Encodable {
        var host: HostName
        var layer: LayerName
        var batch: Int
        var phase: String
        var phaseSinceMilliseconds: Int64
        var attempt: Int
        var intended: Version
        var intendedSinceMilliseconds: Int64
        var recorded: String
        var recordedSinceMilliseconds: Int64
        var observed: [ComponentName: Version]
        var observedAtMilliseconds: Int64?
        var repairedByHand: Bool
        var adopted: Bool
    }
    struct HoldDocument: Encodable {
        var code: String
        var failureClass: String
        var boundary: String
        var completed: String?
        var host: HostName?
        var layer: LayerName?
        var detail: String
        var divergent: ItemDelta?
        var touched: [Placement]
        var rolledBack: [Placement]
        var untouched: [Placement]
        var skipped: [Placement]
        var inFlight: [OperationID]
        var safeToVerifyInPlace: Bool
    }

    var run: RunID
    var plan: String
    var planDigest: Digest
    var status: String
    var boundary: String
    var sequence: UInt64
    var chainHead: Digest
    var placements: [PlacementDocument]
    var hold: HoldDocument?
    /// Narrowest first; nil in what is proved, as they are advice that depends on the time and the build.
    var next: [String]?
    /// Those of ``next`` that ask a person for a reason, and take it as `--reason` where nobody can be asked.
    var nextAsksReason: [String]?

    /// - Parameters:
    ///   - report: lists every placement.
    ///   - lines: writes the commands that can be given; nil leaves them out.
    init(_ report: RunReport, _ lines: CommandLines?) {
        let overview = report.overview
        run = overview.run
        plan = overview.plan
        planDigest = overview.planDigest
        status = overview.status
        boundary = overview.boundary
        sequence = report.sequence
        chainHead = report.chainHead
        placements = report.layers.flatMap { layer in
            layer.placements.map { PlacementDocument($0, layer.version, startedAt: overview.startedAt) }
        }
        hold = overview.hold.map { HoldDocument($0, of: report.layers.flatMap(\.placements)) }
        guard let lines else { return }
        let commands = overview.next(at: Context.clock.wall()).map(\.command)
        next = commands.map(lines.line)
        nextAsksReason = commands.filter(\.asksForReason).map(lines.line)
    }

    init(_ state: RolloutState, _ lines: CommandLines?) { self.init(RunReport(state), lines) }
}

extension RunDocument.PlacementDocument {
    fileprivate init(_ own: PlacementOverview, _ version: VersionChange, startedAt: WallTime) {
        self.init(
            host: own.placement.host, layer: own.placement.layer, batch: own.batch + 1, phase: own.phase,
            phaseSinceMilliseconds: own.phaseSince.milliseconds, attempt: own.attempt, intended: version.to,
            intendedSinceMilliseconds: startedAt.milliseconds, recorded: own.recordedVersion(of: version),
            recordedSinceMilliseconds: own.recordedSince.milliseconds, observed: own.observed,
            observedAtMilliseconds: own.observedAt?.milliseconds, repairedByHand: own.isRepairedByHand,
            adopted: own.isAdopted)
    }
}

extension RunDocument.HoldDocument {
    fileprivate init(_ hold: RunOverview.Hold, of placements: [PlacementOverview]) {
        let back = PlacementPhase.rolledBack(.verified).word
        self.init(
            code: hold.code.rawValue, failureClass: hold.code.failureClass.rawValue, boundary: hold.boundary,
            completed: hold.completed, host: hold.host, layer: hold.layer, detail: hold.detail,
            divergent: hold.divergent, touched: placements.filter(\.isTouched).map(\.placement),
            rolledBack: placements.filter { $0.phase == back }.map(\.placement),
            untouched: placements.filter { !$0.isTouched && $0.phase != back }.map(\.placement),
            skipped: placements.filter { $0.phase == PlacementPhase.waiting.word }.map(\.placement),
            inFlight: hold.inFlight, safeToVerifyInPlace: hold.isSafeToVerifyInPlace)
    }
}

extension PlacementOverview {
    /// The version that the recorded facts put on it; "between" where they put it on none.
    func recordedVersion(of version: VersionChange) -> String {
        switch RecordedVersion(rawValue: recorded) {
        case .source: version.from.rawValue
        case .target: version.to.rawValue
        case .between, nil: recorded
        }
    }
}

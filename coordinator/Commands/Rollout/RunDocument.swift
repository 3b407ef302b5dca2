import CoordinatorRuntime
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
    var next: [String]

    init(_ state: RolloutState) {
        run = state.definition.run
        plan = state.plan.name
        planDigest = state.definition.planDigest
        status = state.status.description
        boundary = state.boundary.description
        sequence = state.sequence
        chainHead = state.chainHead
        placements = zip(state.plan.layers, state.batches).flatMap { layer, batches in
            batches.flatMap { batch in
                batch.placements.compactMap { placement in
                    state.placements[placement].map {
                        RunDocument.placement(placement, $0, layer, batch.index, startedAt: state.startedAt)
                    }
                }
            }
        }
        hold = RunDocument.hold(state)
        next = state.nextCommands(at: Context.clock.wall()).map(\.command)
    }

    private static func placement(
        _ placement: Placement, _ own: PlacementState, _ layer: PlanLayer, _ batch: Int, startedAt: WallTime
    ) -> PlacementDocument {
        let recorded =
            switch own.recorded {
            case .source: layer.version.from.rawValue
            case .between: "between"
            case .target: layer.version.to.rawValue
            }
        var phase = own.phase.kind.rawValue
        if case .rolledBack(let outcome) = own.phase { phase += ":\(outcome.rawValue)" }
        return PlacementDocument(
            host: placement.host, layer: placement.layer, batch: batch + 1, phase: phase,
            phaseSinceMilliseconds: own.phaseSince.milliseconds, attempt: own.attempt, intended: layer.version.to,
            intendedSinceMilliseconds: startedAt.milliseconds, recorded: recorded,
            recordedSinceMilliseconds: own.recordedSince.milliseconds, observed: own.observed,
            observedAtMilliseconds: own.latest?.takenAt.milliseconds,
            repairedByHand: own.repairedByHand, adopted: own.adopted)
    }

    private static func hold(_ state: RolloutState) -> HoldDocument? {
        guard let record = state.boundaryRecord, let failure = state.holdingFailure else { return nil }
        return HoldDocument(
            code: failure.problem.code.rawValue, failureClass: failure.problem.code.failureClass.rawValue,
            boundary: record.stopped.description,
            completed: record.completed?.description, host: failure.host, layer: failure.placement?.layer,
            detail: failure.problem.detail, divergent: failure.problem.item, touched: record.touched,
            rolledBack: record.rolledBack, untouched: record.untouched, skipped: record.skipped,
            inFlight: record.inFlight.map(\.intent.id),
            safeToVerifyInPlace: record.isSafeToVerifyInPlace)
    }
}

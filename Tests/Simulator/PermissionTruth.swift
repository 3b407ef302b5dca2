import Approvals
import UpgradeDomain

/// What one person truly permits.
struct Grant: Hashable {
    var person: Owner
    var action: StatementAction
    var layers: Set<LayerName>
    /// The hosts of which the person has seen what would truly run there.
    var hosts: Set<HostName>
    var times: Range<WallTime>
    /// Attempts before it was given do not count against it.
    var issuedAt: WallTime
    var holdPoints: Set<HoldPoint> = []
    var attempts = Int.max
    var rollbackUntil: WallTime?
    var rollbackAttempts = 0
    /// For a recovery: where the run stood.
    var boundary: String?
    /// For a rerun: the step to start from; nil for the failed step.
    var step: StepName?

    func covers(_ placement: Placement) -> Bool {
        layers.contains(placement.layer) && hosts.contains(placement.host)
    }
}

/// Who has truly permitted what, and whether the run does nothing else. Nothing that the product judges by is used here.
final class PermissionTruth {
    /// What is left out of a judgement, to learn why something is not permitted.
    private enum Ignored { case nothing, time, attempts }

    private unowned let world: World
    private let approvals: SimulatedApprovals
    private var grants: [Grant]
    /// The first steps of attempts, and the rollbacks, that ran or may run.
    private var attempts: [Placement: [OperationID: WallTime]] = [:]
    private var rollbacks: [Placement: [OperationID: WallTime]] = [:]
    /// What the last rerun of a host is permitted by, and the one step that it may run if it names none.
    private var reruns: [HostName: [Grant]] = [:]
    private var rerunStep: [Placement: StepName] = [:]
    /// What the last rollback may take back.
    private var mayGoBack: Set<Placement> = []
    /// Rollbacks without guardrails that nobody has acknowledged.
    private var openOverrides = 0

    init(_ world: World, _ approvals: SimulatedApprovals, _ grants: [Grant]) {
        self.world = world
        self.approvals = approvals
        self.grants = grants
    }

    func take(_ more: [Grant]) {
        grants += more
        if more.contains(where: { $0.action == .acknowledge }) { openOverrides = 0 }
    }

    /// - Parameter rerunning: the hosts whose steps may run again.
    func take(_ recorded: RecordedEvent, permittedToRerun rerunning: Set<HostName>) {
        guard approvals.basis != .claims else { return }
        switch recorded.event {
        case .operationIntended(let intent):
            switch intent.action {
            case .step(let name) where rerunning.contains(intent.placement.host): checkRerun(intent, name)
            case .step(let name): checkForward(intent, name, at: recorded.recordedAt)
            case .rollback:
                rollbacks[intent.placement, default: [:]][intent.id] = recorded.recordedAt
                guard approvals.isSigned else { break }
                world.checker.require(
                    mayGoBack.contains(intent.placement), "enough people permitted \(intent.id) when it was asked for")
            }
        case .operationWithdrawn(let id, _), .operationTombstoned(let id):
            for placement in attempts.keys { attempts[placement]?[id] = nil }
            for placement in rollbacks.keys { rollbacks[placement]?[id] = nil }
        case .requested(let request): if approvals.isSigned { check(request.action, at: recorded.recordedAt) }
        case .approvalAwaited(let wait): check(wait, at: recorded.recordedAt)
        case .runStarted, .driverAttached, .driverDetached, .preflightRecorded, .captured, .operationStarted,
            .operationUncertain, .operationEnded, .operationConfirmed, .operationReverted, .placementSoaked,
            .deadlinePassed, .watchInterrupted, .hostLost, .evidencePruned:
            break
        }
    }

    // MARK: Forward

    private func checkForward(_ intent: OperationIntent, _ name: StepName, at wall: WallTime) {
        let placement = intent.placement
        let isFirst = world.steps(of: placement).first == name
        for point in points(before: placement) {
            world.checker.require(
                isPermitted(placement, at: point, wall, isFirst: isFirst),
                "enough people had permitted \(intent.id)\(point.map { " at the hold point \($0.spelled)" } ?? "")")
        }
        if isFirst { attempts[placement, default: [:]][intent.id] = wall }
    }

    /// The hold points before a placement, and nil for what it takes besides them.
    private func points(before placement: Placement) -> [HoldPoint?] {
        let points = approvals.holdPoints.filter { point in
            switch point {
            case .run: true
            case .layer(let layer): layer == placement.layer
            case .batch(let layer, let index):
                layer == placement.layer && world.batch(of: placement) == index
            }
        }
        return points + (approvals.isSigned ? [nil] : [])
    }

    private func isPermitted(
        _ placement: Placement, at point: HoldPoint?, _ wall: WallTime, isFirst: Bool,
        ignoring ignored: Ignored = .nothing
    ) -> Bool {
        let begun = isFirst ? attempts[placement].map { Array($0.values) } ?? [] : []
        return owners(of: placement) { grant in
            grant.action == .upgrade && (ignored == .time || grant.times.contains(wall))
                && (ignored == .attempts || begun.count { $0 >= grant.issuedAt } < grant.attempts)
                && (point.map(grant.holdPoints.contains) ?? true)
        }
    }

    /// Whether enough owners of a placement's layer have given what satisfies a condition.
    private func owners(of placement: Placement, among given: [Grant]? = nil, _ condition: (Grant) -> Bool) -> Bool {
        let people = Set((given ?? grants).filter { $0.covers(placement) && condition($0) }.map(\.person))
        return people.intersection(approvals.owners[placement.layer] ?? []).count
            >= approvals.thresholds[placement.layer] ?? .max
    }

    /// A run waits for nothing that people have permitted.
    private func check(_ wait: ApprovalWait, at wall: WallTime) {
        let placement = wait.placement
        let isFirst = world.stepsDone(of: placement) == 0
        func isPermitted(_ ignored: Ignored) -> Bool {
            self.isPermitted(placement, at: wait.holdPoint, wall, isFirst: isFirst, ignoring: ignored)
        }
        world.checker.require(!isPermitted(.nothing), "\(placement) waits for what it has: \(wait.lacking)")
        if wait.holdPoint != nil { world.sometimes(.heldAtAHoldPoint) }
        if isPermitted(.time) { world.sometimes(.approvalLapsed) }
        if isPermitted(.attempts) { world.sometimes(.approvalUsedUp) }
        world.people.awaited()
    }

    // MARK: Recovery

    private func check(_ action: RequestedAction, at wall: WallTime) {
        let valid = grants.filter { $0.times.contains(wall) }
        switch action {
        case .rerun(let host, _, _):
            reruns[host] = valid.filter { $0.action == .rerun }
            rerunStep = [:]
        case .rollback(_, let breakGlass):
            mayGoBack = Set(
                world.allPlacements.filter { mayRollBack($0, valid, at: wall, breaksGlass: breakGlass != nil) })
            guard breakGlass != nil else { break }
            openOverrides += 1
            world.sometimes(.breakGlass)
        case .signOff(let hosts, _):
            for host in hosts {
                world.checker.require(
                    world.placements(of: host).contains { ownersOrOnCall(of: $0, valid) { $0.action == .signOff } },
                    "enough people had permitted the sign-off of \(host)")
            }
        case .retire(let host, _):
            for placement in world.placements(of: host) {
                world.checker.require(
                    owners(of: placement, among: valid) { $0.action == .retire },
                    "enough people had permitted that \(placement) leaves the run")
            }
        case .finalize:
            world.checker.require(openOverrides == 0, "each overridden guardrail is acknowledged before the end")
            for placement in world.allPlacements
            where !world.retired.contains(placement.host) && world.truth(of: placement)?.version != "1" {
                world.checker.require(
                    owners(of: placement, among: valid) { $0.action == .finalize },
                    "enough people had permitted that the way back of \(placement) ends")
            }
        case .pause, .resume, .abort, .recheck, .rebind, .cancel, .supersede, .approveRecovery, .present: break
        }
    }

    private func ownersOrOnCall(of placement: Placement, _ given: [Grant], _ condition: (Grant) -> Bool) -> Bool {
        owners(of: placement, among: given, condition)
            || given.contains { $0.person == SimulatedApprovals.onCall && $0.covers(placement) && condition($0) }
    }

    private func mayRollBack(_ placement: Placement, _ valid: [Grant], at wall: WallTime, breaksGlass: Bool) -> Bool {
        let here = world.boundary
        if breaksGlass {
            let people = (approvals.owners[placement.layer] ?? []) + [SimulatedApprovals.onCall]
            return valid.contains {
                $0.action == .breakGlass && $0.covers(placement) && $0.boundary == here && people.contains($0.person)
            }
        }
        let begun = rollbacks[placement].map { Array($0.values) } ?? []
        return owners(of: placement) { grant in
            switch grant.action {
            case .rollback: grant.times.contains(wall) && grant.boundary == here
            case .upgrade:
                grant.times.lowerBound <= wall && grant.rollbackUntil.map { wall < $0 } == true
                    && begun.count { $0 >= grant.issuedAt } < grant.rollbackAttempts
            default: false
            }
        }
    }

    private func checkRerun(_ intent: OperationIntent, _ name: StepName) {
        guard approvals.isSigned else { return }
        let placement = intent.placement
        let steps = world.steps(of: placement)
        // Without a named step it is one step, as often as it takes until it runs.
        let isSame = rerunStep[placement].map { $0 == name } ?? true
        rerunStep[placement] = rerunStep[placement] ?? name
        let isPermitted = ownersOrOnCall(of: placement, reruns[placement.host] ?? []) { grant in
            guard grant.boundary == intent.boundary.description else { return false }
            guard let first = grant.step else { return isSame }
            return (steps.firstIndex(of: name) ?? 0) >= (steps.firstIndex(of: first) ?? .max)
        }
        world.checker.require(isPermitted, "enough people had permitted that \(intent.id) runs again")
    }
}

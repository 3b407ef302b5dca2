import Approvals
import RolloutEngine
import UpgradeDomain

/// The people who are asked for approvals, at their own terminals. Not all of what they give counts.
final class SimulatedPeople {
    /// After so many answers that did not help, they give what counts whatever the clocks say.
    private static let patience = 3

    private unowned let world: World
    private let approvals: SimulatedApprovals
    private let maker: StatementMaker
    private var isAnswering = false
    private var answers = 0
    /// The first event that nobody should have recorded.
    private(set) var firstWrong: UInt64?

    init(_ world: World, _ approvals: SimulatedApprovals, _ maker: StatementMaker) {
        self.world = world
        self.approvals = approvals
        self.maker = maker
    }

    // MARK: Approvals of the run

    /// The run waits: somebody answers after a while.
    func awaited() {
        guard !isAnswering else { return }
        isAnswering = true
        world.time.after(world.delay(500...8_000)) { [weak self] in self?.answer() }
    }

    private func answer() {
        isAnswering = false
        guard !world.isOver, let state = world.fold(), let wait = state.wait?.wait else {
            answers = 0
            return
        }
        answers += 1
        give(wait)
        awaited()
    }

    private func give(_ wait: ApprovalWait) {
        let isLast = !world.faults.isOn || answers > SimulatedPeople.patience
        let now = world.wall
        let all = world.definition.plan.layers.map(\.name)
        let layers = world.generator.chance(30) ? all : [wait.placement.layer]
        if !isLast, world.generator.chance(40) { return giveFlawed(wait, layers) }
        for layers in approvals.isSigned ? [layers] : layers.map({ [$0] }) {
            var draft = StatementDraft(layers, enough(of: layers))
            draft.holdPoints = approvals.holdPoints.filter {
                isLast || $0 == wait.holdPoint || world.generator.chance(30)
            }
            // Whatever a coordinator's clock says.
            let seconds = isLast ? nil : world.generator.pick(from: [10, 60, 86_400, nil])
            if let seconds { draft.times = now..<now.advanced(bySeconds: seconds) }
            draft.attempts = isLast ? 100 : world.generator.pick(1...2)
            giveInParts(draft)
        }
    }

    /// All at once, each in turn the same text, or each one a text of their own.
    private func giveInParts(_ draft: StatementDraft) {
        guard draft.people.count > 1, let whole = make(draft) else {
            present(make(draft))
            return
        }
        switch world.generator.pick(0...2) {
        case 0: present(whole)
        case 1:
            for (index, grant) in whole.grants.enumerated() {
                var part = whole
                part.signed.signatures = [whole.signed.signatures[index]]
                part.grants = [grant]
                present(part)
            }
        default:
            for person in draft.people {
                var own = draft
                own.people = [person]
                present(make(own))
            }
        }
    }

    private func giveFlawed(_ wait: ApprovalWait, _ layers: [LayerName]) {
        let forClaims: [StatementDraft.Flaw] = [
            .expired, .otherLeaf, .noHoldPoint, .strangersKey, .otherLedger, .otherPlan, .otherRoot, .noSignature,
        ]
        let flaw = world.generator.pick(
            from: approvals.isSigned ? StatementDraft.Flaw.allCases.filter { $0 != .otherRun } : forClaims)
        let layers = approvals.isSigned ? layers : [wait.placement.layer]
        var draft = StatementDraft(layers, enough(of: layers))
        draft.holdPoints = wait.holdPoint.map { [$0] } ?? []
        draft.flaw = flaw
        if flaw == .onePersonTwice || flaw == .twoKeysOfOnePerson { draft.people = Array(draft.people.prefix(1)) }
        present(make(draft))
        if flaw == .onePersonTwice { present(make(draft)) }
        world.sometimes(.wrongStatementRecorded)
    }

    /// As many owners of each layer as it takes.
    private func enough(of layers: [LayerName]) -> [Owner] {
        layers.flatMap { layer in
            let owners = approvals.owners[layer] ?? []
            let count = approvals.thresholds[layer] ?? 1
            return count < owners.count && world.generator.chance(50) ? owners.suffix(count) : owners.prefix(count)
        }
    }

    private func make(_ draft: StatementDraft) -> MadeStatement? {
        let made = try? maker.make(draft, issuedAt: world.wall, &world.generator)
        world.checker.require(made != nil, "people can sign what they mean")
        return made
    }

    /// Records a statement, whether or not it counts, so that what a run makes of a wrong one is tested as well.
    private func present(_ made: MadeStatement?) {
        guard let made, !world.recordIsBroken, let state = world.fold(), !state.isClosed else { return }
        let refusal = state.refusal(of: .present(made.signed))
        world.checker.require(
            (refusal != nil) == made.isRefused,
            "a statement is refused if it counts for nothing: \(refusal?.message ?? "it is not")")
        let sequence = state.sequence + 1
        guard world.record(.present(made.signed), after: state, granting: made.grants) else { return }
        if made.isRefused { firstWrong = firstWrong ?? sequence }
    }

    // MARK: Recovery

    /// Whether a request lacks signatures, and people have given what it takes.
    func sign(for request: Request, of state: RolloutState) -> Bool {
        let action = request.action
        guard approvals.isSigned, state.refusal(of: action) == nil,
            !state.layersWithoutApproval(for: action, at: world.wall).isEmpty,
            let statement = state.statement(
                for: action, id: StatementMaker.id(&world.generator), issuedAt: world.wall,
                validForSeconds: world.generator.pick(from: [60, 600, 3_600]))
        else { return false }
        var people = signers(of: statement)
        // Whom the request names is among them.
        if let decider = action.decider, !people.contains(decider) { people.append(decider) }
        if world.generator.chance(30) {
            var flaws: [StatementDraft.Flaw] = [
                .expired, .otherLeaf, .strangersKey, .otherPurpose, .otherLedger, .otherPlan, .otherRun, .otherRoot,
                .noSignature,
            ]
            if statement.action != .breakGlass { flaws.append(.breakGlassKey) }
            var wrong = statement
            wrong.id = StatementMaker.id(&world.generator)
            present(make(wrong, by: people, world.generator.pick(from: flaws)))
            world.sometimes(.wrongStatementRecorded)
            if let state = world.fold() {
                world.checker.require(
                    state.refusal(of: request, at: world.wall) != nil, "a wrong statement permits no \(action)")
            }
        }
        present(make(statement, by: people))
        return true
    }

    /// Owners acknowledge that guardrails were overridden.
    func acknowledge(_ state: RolloutState) {
        guard approvals.isSigned,
            let statement = state.acknowledgement(
                id: StatementMaker.id(&world.generator), issuedAt: world.wall, validForSeconds: 600)
        else { return }
        // Whoever broke the glass does not count where somebody else can.
        present(make(statement, by: Set(state.openOverrides.flatMap(state.acknowledgers)).sorted()))
    }

    private func signers(of statement: Statement) -> [Owner] {
        switch statement.action {
        case .rerun, .signOff: world.generator.chance(50) ? [SimulatedApprovals.onCall] : enough(of: statement.layers)
        case .breakGlass:
            world.generator.chance(50)
                ? [SimulatedApprovals.onCall] : statement.layers.compactMap { approvals.owners[$0]?.last }
        case .upgrade, .rollback, .retire, .finalize, .acknowledge, .revoke: enough(of: statement.layers)
        }
    }

    private func make(
        _ statement: Statement, by people: [Owner], _ flaw: StatementDraft.Flaw? = nil
    ) -> MadeStatement? {
        let made = try? maker.make(statement, by: people, flaw)
        world.checker.require(made != nil, "people can sign what a recovery needs")
        return made
    }
}

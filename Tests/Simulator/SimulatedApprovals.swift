import Approvals
import ContentDigest
import Ledger
import SigningKeys
import UpgradeDomain

/// By whose word a run goes, and what it starts with, drawn from a seed.
struct SimulatedApprovals {
    enum Basis {
        /// Claims, all of them given before the start.
        case claims
        /// Claims, and hold points that wait for further ones.
        case claimsAtHoldPoints
        /// A policy, and signatures.
        case signed
    }

    /// A statement that the run starts with.
    struct Opening {
        var layers: [LayerName]
        var people: [Owner]
        var holdPoints: [HoldPoint]
        /// From the start of the run; nil for one that counts for every clock.
        var seconds: Int?
        var attempts: Int
        var rollbackSeconds: Int?
        var rollbackAttempts: Int
    }

    static let onCall: Owner = "on-call"

    var basis = Basis.claims
    /// In plan order.
    var holdPoints: [HoldPoint] = []
    var owners: [LayerName: [Owner]] = [:]
    /// How many owners of each layer it takes.
    var thresholds: [LayerName: Int] = [:]
    var openings: [Opening] = []

    var isSigned: Bool { basis == .signed }

    /// - Parameter owners: of each layer, where claims count.
    static func draw(
        _ generator: inout SeededGenerator, _ plan: Plan, _ members: [LayerName: [HostName]],
        owners: [LayerName: [Owner]]
    ) -> SimulatedApprovals {
        var drawn = SimulatedApprovals()
        drawn.owners = owners
        drawn.thresholds = owners.mapValues { _ in 1 }
        switch generator.pick(0...19) {
        case 0...9: return drawn
        case 10...12: drawn.basis = .claimsAtHoldPoints
        default: drawn.basis = .signed
        }
        let layers = plan.layers.map(\.name)
        var points: [HoldPoint] = [.run]
        for layer in plan.layers {
            points.append(.layer(layer.name))
            points += layer.batches(over: members[layer.name] ?? []).map { .batch(layer: layer.name, index: $0.index) }
        }
        drawn.holdPoints = points.filter { _ in generator.chance(drawn.isSigned ? 20 : 40) }
        guard drawn.isSigned else { return drawn }
        for layer in layers {
            drawn.owners[layer] = [Owner("ana-of-\(layer)"), Owner("ben-of-\(layer)")]
            drawn.thresholds[layer] = generator.chance(70) ? 2 : 1
        }
        for group in generator.chance(50) ? [layers] : layers.map({ [$0] }) {
            drawn.openings.append(drawn.opening(&generator, of: group))
        }
        return drawn
    }

    private func opening(_ generator: inout SeededGenerator, of layers: [LayerName]) -> Opening {
        // One owner of two is not enough where it takes both.
        let isWhole = generator.chance(75)
        let people = layers.flatMap { (owners[$0] ?? []).prefix(isWhole ? thresholds[$0] ?? 1 : 1) }
        let mayGoBack = generator.chance(50)
        return Opening(
            layers: layers, people: people, holdPoints: holdPoints.filter { _ in generator.chance(40) },
            seconds: generator.chance(40)
                ? generator.pick(5...90) : generator.pick(from: [86_400 * 365, nil, nil]),
            attempts: generator.pick(1...2),
            rollbackSeconds: mayGoBack ? generator.pick(from: [30, 120, 86_400 * 365]) : nil,
            rollbackAttempts: generator.pick(1...2))
    }

    // MARK: The policy

    static func key(of person: Owner) -> String { "key of \(person)" }
    static func secondKey(of person: Owner) -> String { "second key of \(person)" }
    static func breakGlassKey(of person: Owner) -> String { "break-glass key of \(person)" }

    /// The first version of the policy, signed by its signers.
    func policy(of ledger: LedgerID, at now: WallTime) throws -> SignedStatement {
        let everybody = owners.keys.sorted().flatMap { owners[$0] ?? [] }
        let people = (everybody + [SimulatedApprovals.onCall]).map { person in
            let keys = [SimulatedApprovals.key(of: person), SimulatedApprovals.secondKey(of: person)]
            return (
                person,
                PolicyPerson(
                    keys: keys.map { SigningKey($0).line },
                    breakGlassKeys: [SigningKey(SimulatedApprovals.breakGlassKey(of: person)).line])
            )
        }
        let policy = Policy(
            ledger: ledger, version: 1, issuedAt: now, people: Dictionary(uniqueKeysWithValues: people),
            signers: PolicyGroup(people: [SimulatedApprovals.onCall]),
            layers: owners.reduce(into: [:]) { layers, entry in
                layers[entry.key] = PolicyLayer(owners: entry.value, threshold: thresholds[entry.key] ?? 1)
            }, onCall: PolicyGroup(people: [SimulatedApprovals.onCall]))
        let text = try policy.text()
        let signature = try SigningKey(SimulatedApprovals.key(of: SimulatedApprovals.onCall)).sign(
            text, namespace: Purpose.policy.namespace)
        return SignedStatement(text: text, signatures: [signature])
    }

    /// What the run starts with, and what people have truly permitted by it.
    func given(in definition: RunDefinition, at now: WallTime, _ generator: inout SeededGenerator) throws
        -> [MadeStatement]
    {
        let maker = try StatementMaker(definition, self)
        return try openings.map { opening in
            var draft = StatementDraft(opening.layers, opening.people)
            draft.holdPoints = opening.holdPoints
            draft.attempts = opening.attempts
            if let seconds = opening.seconds { draft.times = now..<now.advanced(bySeconds: seconds) }
            draft.rollback = opening.rollbackSeconds.map { seconds in
                Statement.RollbackTerm(
                    until: SignedTime(now.advanced(bySeconds: seconds)), attempts: opening.rollbackAttempts)
            }
            return try maker.make(draft, issuedAt: now, &generator)
        }
    }
}

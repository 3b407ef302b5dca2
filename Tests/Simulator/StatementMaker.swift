import Approvals
import ContentDigest
import SigningKeys
import UpgradeDomain

/// An approval of a run, as somebody means it.
struct StatementDraft {
    /// What makes it less than it seems.
    enum Flaw: CaseIterable {
        /// These are recorded, and count for less: for one person, for another time, for other hosts, for nothing.
        case onePersonTwice, twoKeysOfOnePerson, expired, otherLeaf, noHoldPoint
        /// These do not count at all.
        case strangersKey, otherPurpose, breakGlassKey, otherLedger, otherPlan, otherRun, otherRoot, noSignature

        /// Whether it counts for nothing whatever it is asked for, so that it may not be recorded.
        var isRefused: Bool {
            switch self {
            case .onePersonTwice, .twoKeysOfOnePerson, .expired, .otherLeaf, .noHoldPoint: false
            case .strangersKey, .otherPurpose, .breakGlassKey, .otherLedger, .otherPlan, .otherRun, .otherRoot,
                .noSignature:
                true
            }
        }
    }

    /// What counts for every clock.
    static let everyTime = WallTime(clamping: .min)..<WallTime(clamping: .max)

    var layers: [LayerName]
    var people: [Owner]
    var holdPoints: [HoldPoint] = []
    var times = StatementDraft.everyTime
    var attempts = 2
    var rollback: Statement.RollbackTerm?
    var flaw: Flaw?

    init(_ layers: [LayerName], _ people: [Owner]) {
        self.layers = layers
        self.people = people
    }
}

/// A statement, and what those who gave it truly permit.
struct MadeStatement {
    var signed: SignedStatement
    var grants: [Grant]
    /// Whether it counts for nothing.
    var isRefused = false
}

/// Writes what people mean, and signs it with their keys.
struct StatementMaker {
    let definition: RunDefinition
    let approvals: SimulatedApprovals
    /// What would truly run on each host.
    let leaves: [HostName: Digest]

    init(_ definition: RunDefinition, _ approvals: SimulatedApprovals) throws {
        self.definition = definition
        self.approvals = approvals
        leaves = try HostLeaves(of: definition.plan, over: definition.hosts).digests()
    }

    static func id(_ generator: inout SeededGenerator) -> StatementID {
        func half(_ number: UInt64) -> String {
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return StatementID(half(generator.next()) + half(generator.next()))
    }

    // MARK: Approvals of the run

    /// One statement with a signature of each person; where claims count, that of the first person.
    func make(
        _ draft: StatementDraft, issuedAt now: WallTime, _ generator: inout SeededGenerator
    ) throws -> MadeStatement {
        var covered = leaves
        var known = Set(leaves.keys)
        if draft.flaw == .otherLeaf || draft.flaw == .otherRoot {
            let host = generator.pick(from: leaves.keys.sorted())
            covered[host] = Digest.sha256(of: Array("another command on \(host)".utf8))
            known.remove(host)
        }
        let root = HostTree(covered)?.root ?? ""
        var statement = Statement(
            .approve, .upgrade, id: StatementMaker.id(&generator), ledger: definition.ledger,
            policy: approvals.isSigned ? 1 : 0, plan: definition.planDigest, planName: definition.plan.name,
            hostsRoot: root, hosts: covered.count, layers: draft.layers, issuedAt: now,
            notAfter: draft.times.upperBound)
        statement.notBefore = SignedTime(draft.times.lowerBound)
        statement.holdPoints = draft.flaw == .noHoldPoint ? [] : draft.holdPoints
        statement.attempts = draft.attempts
        statement.rollback = draft.rollback
        if draft.flaw == .expired { statement.notAfter = SignedTime(now.advanced(bySeconds: -1)) }
        if draft.flaw == .otherLedger { statement.ledger = "l-another" }
        if draft.flaw == .otherPlan { statement.plan = Digest.sha256(of: Array("another plan".utf8)) }
        let isRefused = draft.flaw?.isRefused == true
        let people = approvals.isSigned ? draft.people : Array(draft.people.prefix(1))
        let grants = people.map { person in
            var grant = Grant(
                person: person, action: .upgrade, layers: Set(draft.layers), hosts: known,
                times: statement.notBefore.time..<statement.notAfter.time, issuedAt: statement.issuedAt.time)
            grant.holdPoints = Set(statement.holdPoints)
            grant.attempts = draft.attempts
            grant.rollbackUntil = draft.rollback?.until.time
            grant.rollbackAttempts = draft.rollback?.attempts ?? 0
            return grant
        }
        // Of another root, the leaves are shown that would be right.
        let shown = draft.flaw == .otherRoot ? leaves : covered
        return MadeStatement(
            signed: try sign(statement, people, draft.flaw, leaves: shown), grants: isRefused ? [] : grants,
            isRefused: isRefused)
    }

    private func sign(
        _ statement: Statement, _ people: [Owner], _ flaw: StatementDraft.Flaw?, leaves: [HostName: Digest]
    ) throws -> SignedStatement {
        guard approvals.isSigned else {
            let claim = people.first.map {
                StatementClaim(owner: flaw == .strangersKey ? "a-stranger" : $0, claimedBy: "op")
            }
            return SignedStatement(
                text: try statement.signedText(), claim: flaw == .noSignature ? nil : claim, leaves: leaves)
        }
        var purpose = statement.purpose
        if flaw == .otherPurpose { purpose = purpose == .recover ? .approve : .recover }
        let text = try statement.signedText()
        let signatures = try keys(of: people, for: statement.purpose, flaw).map { key in
            try SigningKey(key).sign(text, namespace: purpose.namespace)
        }
        return SignedStatement(text: text, signatures: signatures, leaves: leaves)
    }

    private func keys(of people: [Owner], for purpose: Purpose, _ flaw: StatementDraft.Flaw?) -> [String] {
        switch flaw {
        case .strangersKey: ["key of a stranger"]
        case .breakGlassKey: people.map(SimulatedApprovals.breakGlassKey)
        case .twoKeysOfOnePerson:
            people.prefix(1).flatMap { [SimulatedApprovals.key(of: $0), SimulatedApprovals.secondKey(of: $0)] }
        case .noSignature: []
        case .onePersonTwice, .expired, .otherLeaf, .noHoldPoint, .otherPurpose, .otherLedger, .otherPlan, .otherRun,
            .otherRoot, nil:
            people.map(purpose == .breakGlass ? SimulatedApprovals.breakGlassKey : SimulatedApprovals.key)
        }
    }

    // MARK: Recoveries

    /// A statement for a recovery, as the run writes it, signed by these people.
    func make(
        _ statement: Statement, by people: [Owner], _ flaw: StatementDraft.Flaw? = nil
    ) throws -> MadeStatement {
        var statement = statement
        let named = statement.named ?? []
        var covered = leaves.filter { named.contains($0.key) }
        let isRefused = flaw?.isRefused == true
        switch flaw {
        case .otherRun: statement.run = "r-another"
        case .otherLedger: statement.ledger = "l-another"
        case .otherPlan: statement.plan = Digest.sha256(of: Array("another plan".utf8))
        case .otherRoot: covered[named[0]] = Digest.sha256(of: Array("another command".utf8))
        case .otherLeaf:
            for host in named { covered[host] = Digest.sha256(of: Array("another command on \(host)".utf8)) }
            statement.hostsRoot = HostTree(covered)?.root ?? ""
        case .expired:
            statement.notBefore = SignedTime(statement.issuedAt.time.advanced(bySeconds: -60))
            statement.notAfter = SignedTime(statement.issuedAt.time.advanced(bySeconds: -1))
        case .onePersonTwice, .twoKeysOfOnePerson, .noHoldPoint, .strangersKey, .otherPurpose, .breakGlassKey,
            .noSignature, nil:
            break
        }
        let times = statement.notBefore.time..<statement.notAfter.time
        let grants = people.map { person in
            var grant = Grant(
                person: person, action: statement.action, layers: Set(statement.layers),
                hosts: flaw == .otherLeaf ? [] : Set(named), times: times,
                issuedAt: statement.issuedAt.time)
            grant.boundary = statement.boundary
            grant.step = statement.from
            return grant
        }
        return MadeStatement(
            signed: try sign(statement, people, flaw, leaves: covered), grants: isRefused ? [] : grants,
            isRefused: isRefused)
    }
}

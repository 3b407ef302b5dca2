import Approvals
import ArgumentParser
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

/// What an approval of a plan covers, and until when.
struct ApprovalTerms: ParsableArguments {
    static let validHoursDefault = 168
    static let attemptsDefault = 2

    @Option(
        name: .long,
        help: "A hold point that it opens: run, LAYER or LAYER/BATCH; repeat for several. It covers their layers then.")
    var at: [String] = []
    @Option(name: .long, help: "Only this layer of the plan; repeat for several.")
    var layer: [String] = []
    @Option(name: .long, help: "For how many hours it also covers a rollback; 0 for none.")
    var rollbackHours = 72
    @Option(name: .long, help: "How many runs it serves.")
    var runs = 1
    @Option(name: .long, help: "Within how many hours a run must start its first change. (default: 168)")
    var validHours: Int?
    @Option(name: .long, help: "How many attempts it permits for each host in each layer. (default: 2)")
    var attempts: Int?
    @Option(name: .long, help: "How many attempts to roll back it permits for each of them. (default: 2)")
    var rollbackAttempts: Int?
    @Option(name: .long, help: "From when on it counts, such as 2026-12-01T20:00:00Z; the hours begin then.")
    var notBefore: String?

    func validate() throws {
        guard (0...8_760).contains(rollbackHours) else { throw ValidationError("--rollback-hours takes 0 to 8760") }
        guard (1...1_000).contains(runs) else { throw ValidationError("--runs takes 1 to 1000") }
        guard (1...8_760).contains(validHours ?? 1) else { throw ValidationError("--valid-hours takes 1 to 8760") }
        guard (1...1_000).contains(attempts ?? 1) else { throw ValidationError("--attempts takes 1 to 1000") }
        guard (1...1_000).contains(rollbackAttempts ?? 1) else {
            throw ValidationError("--rollback-attempts takes 1 to 1000")
        }
        if let wrong = at.first(where: { HoldPoint($0) == nil }) {
            throw ValidationError("'\(wrong)' is not a hold point: --at takes run, LAYER or LAYER/BATCH")
        }
        guard notBefore.map({ WallTime(rfc3339: $0) != nil }) ?? true else {
            throw ValidationError("--not-before takes a time such as 2026-12-01T20:00:00Z")
        }
    }

    /// The first option that only a statement has; nil if a plain claim can express all of them.
    var beyondClaim: String? {
        if !layer.isEmpty { return "--layer" }
        if attempts != nil { return "--attempts" }
        if rollbackAttempts != nil { return "--rollback-attempts" }
        return notBefore == nil ? nil : "--not-before"
    }

    private func begin(_ now: WallTime) -> WallTime { notBefore.flatMap { WallTime(rfc3339: $0) } ?? now }

    /// Until when a run must start its first change.
    func until(_ now: WallTime) -> WallTime {
        begin(now).advanced(bySeconds: (validHours ?? ApprovalTerms.validHoursDefault) * 3_600)
    }

    /// Until when it covers a rollback; nil for never.
    func rollbackUntil(_ now: WallTime) -> WallTime? {
        rollbackHours == 0 ? nil : begin(now).advanced(bySeconds: rollbackHours * 3_600)
    }

    /// The hold points in plan order.
    func holdPoints(of plan: Plan) throws -> [HoldPoint] {
        let asked = at.compactMap { HoldPoint($0) }
        let known = plan.holdPoints ?? []
        if let unknown = asked.first(where: { !known.contains($0) }) {
            let names = known.isEmpty ? "it has none" : "it has \(known.map(\.spelled).joined(separator: ", "))"
            throw CommandError(
                .refused, "\(plan.name) has no hold point '\(unknown.spelled)'",
                consequence: "Nothing was approved: \(names).", next: .showPlan(plan: plan.name))
        }
        return known.filter(asked.contains)
    }

    /// The layers in plan order: those that are named, else those of the hold points, else all.
    func layers(of plan: Plan) throws -> [LayerName] {
        let all = plan.layers.map(\.name)
        if let unknown = layer.first(where: { !all.contains(LayerName($0)) }) {
            throw CommandError(
                .refused, "\(plan.name) has no layer '\(unknown)'", consequence: "Nothing was approved.",
                next: .showPlan(plan: plan.name))
        }
        if !layer.isEmpty { return all.filter { layer.contains($0.rawValue) } }
        let points = try holdPoints(of: plan)
        guard !points.isEmpty, !points.contains(.run) else { return all }
        return all.filter { name in
            points.contains { point in
                switch point {
                case .run: true
                case .layer(let layer), .batch(let layer, _): layer == name
                }
            }
        }
    }

    /// The statement that approves a plan in these terms.
    ///
    /// - Parameters:
    ///   - leaves: of the selected hosts.
    ///   - policy: its version; 0 where none exists.
    func statement(
        approving stored: StoredPlan, _ leaves: [HostName: Digest], in ledger: LedgerID, policy: Int, now: WallTime
    ) throws -> Statement {
        guard let root = HostTree(leaves)?.root else {
            throw CommandError(
                .refused, "\(stored.plan.name) selects no host", consequence: "Nothing was approved.",
                next: .showPlan(plan: stored.plan.name))
        }
        var statement = Statement(
            .approve, .upgrade, id: .random(), ledger: ledger, policy: policy, plan: stored.digest,
            planName: stored.plan.name, hostsRoot: root, hosts: leaves.count, layers: try layers(of: stored.plan),
            issuedAt: now, notAfter: until(now))
        statement.releases = stored.plan.releaseDigests
        statement.holdPoints = try holdPoints(of: stored.plan)
        statement.notBefore = SignedTime(begin(now))
        statement.runs = runs
        statement.attempts = attempts ?? ApprovalTerms.attemptsDefault
        statement.rollback = rollbackUntil(now).map {
            Statement.RollbackTerm(
                until: SignedTime($0), attempts: rollbackAttempts ?? ApprovalTerms.attemptsDefault)
        }
        return statement
    }
}

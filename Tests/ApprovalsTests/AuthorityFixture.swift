import Approvals
import ContentDigest
import SigningKeys
import UpgradeDomain

/// A run of one plan over two hosts under a policy, without files or programs.
struct AuthorityFixture {
    static let ledger: LedgerID = "l-1"
    static let run: RunID = "r-1"
    static let plan = Digest.sha256(of: [1])
    static let now = WallTime(clamping: 1_800_000_000_000)

    /// The leaf of each host of the run.
    var leaves: [HostName: Digest] = ["a1": Digest.sha256(of: [2]), "a2": Digest.sha256(of: [3])]
    /// ana, ben and cy own app, of whom two must approve; dan is on call; eva may break glass.
    var policy = Policy(
        ledger: AuthorityFixture.ledger, version: 1, issuedAt: AuthorityFixture.now,
        people: [
            "ana": PolicyPerson(
                keys: [SigningKey("ana").line, SigningKey("ana-laptop").line],
                breakGlassKeys: [SigningKey("ana-glass").line], accounts: ["ana-account"]),
            "ben": PolicyPerson(keys: [SigningKey("ben").line], accounts: ["ben-account"]),
            "cy": PolicyPerson(keys: [SigningKey("cy").line]),
            "dan": PolicyPerson(keys: [SigningKey("dan").line]),
        ], signers: PolicyGroup(people: ["ana", "ben", "cy"], threshold: 2),
        layers: ["app": PolicyLayer(owners: ["ana", "ben", "cy"], threshold: 2, oneWayThreshold: 3)],
        onCall: PolicyGroup(people: ["dan"]))

    var scope = AuthorityScope(
        ledger: AuthorityFixture.ledger, run: AuthorityFixture.run, planDigest: AuthorityFixture.plan,
        planName: "app-2", releases: [], owners: ["app": ["ana", "ben", "cy"]], author: "root", starter: "root")

    static func sign(_ text: String, as purpose: Purpose, by keys: [String]) throws -> [String] {
        try keys.map { try SigningKey($0).sign(text, namespace: purpose.namespace) }
    }

    func authority() throws -> Authority {
        let text = try policy.text()
        let first = SignedStatement(
            text: text, signatures: try AuthorityFixture.sign(text, as: .policy, by: ["ana", "ben"]))
        return Authority(scope, .policy(try PolicyChain(first: first, of: AuthorityFixture.ledger)))
    }

    /// The next version of the policy.
    func successor(by keys: [String], _ change: (inout Policy) -> Void = { _ in }) throws -> SignedStatement {
        var next = policy
        next.version += 1
        change(&next)
        let text = try next.text()
        return SignedStatement(text: text, signatures: try AuthorityFixture.sign(text, as: .policy, by: keys))
    }

    func statement(
        _ purpose: Purpose = .approve, _ action: StatementAction = .upgrade, id digit: Character = "a",
        over leaves: [HostName: Digest]? = nil, _ change: (inout Statement) -> Void = { _ in }
    ) -> Statement {
        let leaves = leaves ?? self.leaves
        var statement = Statement(
            purpose, action, id: StatementID(String(repeating: digit, count: 32)), ledger: AuthorityFixture.ledger,
            policy: 1, plan: AuthorityFixture.plan, planName: "app-2", hostsRoot: HostTree(leaves)?.root ?? "",
            hosts: leaves.count, layers: ["app"], issuedAt: AuthorityFixture.now,
            notAfter: AuthorityFixture.now.advanced(bySeconds: 3_600))
        if purpose != .approve, purpose != .revoke {
            statement.run = AuthorityFixture.run
            statement.named = ["a1"]
        }
        if purpose == .recover || purpose == .breakGlass { statement.boundary = "layer app, batch 1" }
        change(&statement)
        return statement
    }

    func signed(
        _ statement: Statement, by keys: [String] = ["ana", "ben"], as purpose: Purpose? = nil,
        over leaves: [HostName: Digest]? = nil
    ) throws -> SignedStatement {
        let text = try statement.signedText()
        return SignedStatement(
            text: text, signatures: try AuthorityFixture.sign(text, as: purpose ?? statement.purpose, by: keys),
            leaves: leaves ?? self.leaves)
    }

    static func ask(
        _ action: StatementAction = .upgrade, _ host: HostName = "a1",
        _ change: (inout PermissionAsk) -> Void = { _ in }
    ) -> PermissionAsk {
        var ask = PermissionAsk(action, of: Placement(host: host, layer: "app"))
        if action != .upgrade { ask.boundary = "layer app, batch 1" }
        change(&ask)
        return ask
    }

    /// What is lacking, in words; nil if it is permitted.
    func lack(_ authority: Authority, _ ask: PermissionAsk = ask(), at wall: WallTime = now) -> String? {
        switch authority.permission(for: ask, at: wall, leaf: { leaves[ask.placement.host] }) {
        case .given: nil
        case .lacking(let lack): lack.sentence(of: ask.placement.layer)
        }
    }
}

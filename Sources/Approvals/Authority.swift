import SafeText
package import UpgradeDomain

/// What a run is, as far as statements are bound to it.
package struct AuthorityScope: Hashable, Sendable {
    package var ledger: LedgerID
    /// Nil before there is a run.
    package var run: RunID?
    package var planDigest: Digest
    /// What people know the plan by.
    package var planName: String
    /// The digests of its release manifests, sorted.
    package var releases: [Digest]
    /// The owners of each layer in the inventory; they count where no policy exists.
    package var owners: [LayerName: [Owner]]
    package var author: String?
    package var starter: String?

    package init(
        ledger: LedgerID, run: RunID?, planDigest: Digest, planName: String, releases: [Digest],
        owners: [LayerName: [Owner]], author: String?, starter: String?
    ) {
        self.ledger = ledger
        self.run = run
        self.planDigest = planDigest
        self.planName = planName
        self.releases = releases
        self.owners = owners
        self.author = author
        self.starter = starter
    }
}

/// A statement that was given, and who has signed it.
package struct GivenStatement: Hashable, Sendable {
    package let signed: SignedStatement
    package let statement: Statement
    /// Whose signatures count under the policy in force, sorted; for a claim, the owner whom it names.
    package internal(set) var people: [Owner]
    /// Why other signatures do not count.
    package internal(set) var faults: [String]
}

/// Who permits what in a run: the one place that judges approvals, recoveries, sign-offs and break-glass.
///
/// A value: the same statements in the same order give the same answers, now and in an exported bundle.
package struct Authority: Hashable, Sendable {
    /// The longest time for which break-glass may be permitted.
    package static let breakGlassSeconds: Int64 = 3_600

    /// Whose word counts.
    package enum Basis: Hashable, Sendable {
        /// No policy exists: the owners in the inventory, as anybody claims it.
        case claims
        case policy(PolicyChain)
        /// A policy is recorded that does not verify, in these words: nobody's.
        case unverifiable(String)
    }

    package let scope: AuthorityScope
    package private(set) var basis: Basis
    /// In the order in which they were given.
    package private(set) var given: [GivenStatement] = []
    /// Which statement revoked which.
    private(set) var revocations: [StatementID: StatementID] = [:]

    package init(_ scope: AuthorityScope, _ basis: Basis) {
        self.scope = scope
        self.basis = basis
    }

    /// The policy in force; nil where claims count, or nobody's word does.
    package var policy: Policy? {
        switch basis {
        case .policy(let chain): chain.current
        case .claims, .unverifiable: nil
        }
    }

    /// The statement that revoked another one; nil if it was not revoked.
    package func revocation(of id: StatementID) -> StatementID? { revocations[id] }

    // MARK: Taking

    /// Takes a statement, further signatures of one that it has, or the next version of the policy.
    ///
    /// - Throws: why it does not count, whatever it is asked for; nothing has changed then. `PolicyProblem` for a policy.
    package mutating func take(_ signed: SignedStatement) throws {
        if Policy.isPolicy(signed.text) {
            guard case .policy(let chain) = basis else { throw StatementProblem.signedWhereClaimed }
            basis = .policy(try chain.adding(signed))
            for index in given.indices {
                (given[index].people, given[index].faults) = people(of: given[index].signed, given[index].statement)
            }
            return
        }
        let new = try read(signed)
        if new.statement.purpose == .revoke, let revoked = new.statement.revokes {
            revocations[revoked] = revocations[revoked] ?? new.statement.id
        }
        if let index = given.firstIndex(where: { $0.statement.id == new.statement.id }) {
            given[index] = new
        } else {
            given.append(new)
        }
    }

    /// Why `take(_:)` refused, in words.
    package static func words(of error: any Error) -> String {
        (error as? StatementProblem)?.words ?? (error as? PolicyProblem)?.words ?? "\(error)"
    }

    /// A statement that counts for this run, with all signatures that were given for it.
    private func read(_ signed: SignedStatement) throws(StatementProblem) -> GivenStatement {
        var signed = signed
        let statement = try Statement(signedText: signed.text)
        try requireBound(statement)
        if let known = given.first(where: { $0.statement.id == statement.id })?.signed {
            guard known.text == signed.text else { throw .otherText(statement.id) }
            let more = signed.signatures.filter { !known.signatures.contains($0) }
            guard !more.isEmpty else { throw .known(statement.id) }
            signed = SignedStatement(text: known.text, signatures: known.signatures + more, leaves: known.leaves)
        }
        try requireRoot(statement, signed.leaves)
        switch basis {
        case .claims: guard signed.claim != nil else { throw .signedWhereClaimed }
        case .policy: guard signed.claim == nil, !signed.signatures.isEmpty else { throw .unsigned }
        case .unverifiable(let words): throw .nobody(words)
        }
        let (people, faults) = people(of: signed, statement)
        guard !people.isEmpty else { throw .nobody(faults.joined(separator: "; ")) }
        return GivenStatement(signed: signed, statement: statement, people: people, faults: faults)
    }

    private func requireBound(_ statement: Statement) throws(StatementProblem) {
        guard statement.ledger == scope.ledger else { throw .otherLedger(statement.ledger) }
        guard statement.plan == scope.planDigest else { throw .otherPlan(statement.plan) }
        // People read the name, and sign the digest with it.
        guard statement.planName == scope.planName else { throw .otherName(statement.planName) }
        if let run = statement.run, run != scope.run { throw .otherRun(run) }
        let known = policy?.version ?? 0
        guard statement.policy <= known else { throw .newerPolicy(statement.policy, than: known) }
        guard statement.releases == scope.releases else { throw .otherReleases }
        if statement.purpose == .breakGlass {
            let seconds = statement.notAfter.time.milliseconds(since: statement.notBefore.time) / 1_000
            guard seconds <= Authority.breakGlassSeconds else {
                throw .tooLongValid(seconds: seconds, limit: Authority.breakGlassSeconds)
            }
        }
    }

    private func requireRoot(_ statement: Statement, _ leaves: [HostName: Digest]?) throws(StatementProblem) {
        guard let leaves, leaves.count == statement.hosts, HostTree(leaves)?.root == statement.hostsRoot else {
            throw .wrongRoot
        }
        if let stranger = statement.named?.first(where: { leaves[$0] == nil }) { throw .notCovered(stranger) }
    }

    /// Who says so, and why other signatures do not count.
    private func people(of signed: SignedStatement, _ statement: Statement) -> ([Owner], [String]) {
        guard let policy else {
            let owners = Set(statement.layers.flatMap { scope.owners[$0] ?? [] })
            let claimed = signed.claim.map { [$0.owner] } ?? []
            let known = claimed.filter(owners.contains)
            return (known, claimed.filter { !owners.contains($0) }.map { "\($0) owns no layer that it names" })
        }
        let now = people(of: signed, statement, under: policy)
        guard statement.purpose == .revoke, now.0.isEmpty, case .policy(let chain) = basis else { return now }
        // What was taken back stays taken back, although its signer has another key since, or has left.
        let before = chain.versions.last { version in
            version.version >= statement.policy && !people(of: signed, statement, under: version).0.isEmpty
        }
        return before.map { people(of: signed, statement, under: $0) } ?? now
    }

    private func people(of signed: SignedStatement, _ statement: Statement, under policy: Policy) -> ([Owner], [String])
    {
        let findings = policy.signers(of: signed.text, signatures: signed.signatures, as: statement.purpose)
        let entitled = policy.entitled(to: statement)
        let strangers = findings.people.keys.filter { !entitled.contains($0) }.sorted()
        return (
            findings.signers(among: Array(entitled)),
            findings.refused.map(\.words) + strangers.map { "\($0) may not give it" }
        )
    }
}

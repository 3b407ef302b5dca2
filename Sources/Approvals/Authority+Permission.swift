import SafeText
package import UpgradeDomain

extension Authority {
    /// Whether something is permitted at a time.
    ///
    /// - Parameter leaf: the present leaf of the placement's host; asked for only if a statement would count otherwise.
    package func permission(
        for ask: PermissionAsk, at wall: WallTime, leaf: () -> Digest?
    ) -> Permission {
        var have: Set<Owner> = []
        var because: [String] = []
        var present: Digest??
        for given in given where given.statement.isAbout(ask) {
            if let problem = problem(of: given.statement, for: ask, at: wall) {
                because.append("\(given.statement.id.short): \(problem.words)")
                continue
            }
            let own = present ?? leaf()
            present = .some(own)
            guard let own, given.signed.leaves?[ask.placement.host] == own else {
                because.append(
                    "\(given.statement.id.short): \(StatementProblem.foreignLeaf(ask.placement.host).words)")
                continue
            }
            have.formUnion(given.people)
            because += given.faults.map { "\(given.statement.id.short): \($0)" }
        }
        let groups = groups(for: ask)
        let excluded = excluded(for: ask)
        var counted = have
        var needsAccounts = false
        if let excluded {
            switch excluded {
            case .success(let people):
                because += have.intersection(people.keys).sorted().map { "\($0) \(people[$0] ?? "")" }
                counted.subtract(people.keys)
            case .failure(let fault):
                because.append(fault.words)
                needsAccounts = true
                counted = []
            }
        }
        if let doer = ask.doneBy, counted.contains(doer), groups.contains(where: { $0.people.contains { $0 != doer } })
        {
            because.append("\(doer) did it, and another owner must have seen it")
            counted.remove(doer)
        }
        for group in groups where counted.intersection(group.people).count >= group.threshold {
            return .given(by: counted.intersection(group.people).sorted())
        }
        let asked = Set(groups.flatMap(\.people))
        return .lacking(
            Permission.Lack(
                have: counted.intersection(asked).sorted(), groups: groups, because: because,
                needsAccounts: needsAccounts))
    }

    /// Why a statement does not permit it now; nil if it does, as far as its people suffice.
    private func problem(of statement: Statement, for ask: PermissionAsk, at wall: WallTime) -> StatementProblem? {
        if let revoked = revocations[statement.id] { return .revoked(by: revoked) }
        guard statement.layers.contains(ask.placement.layer) else {
            return .nobody("it does not cover layer \(ask.placement.layer)")
        }
        if let named = statement.named, !named.contains(ask.placement.host) { return .notCovered(ask.placement.host) }
        if wall < statement.notBefore.time { return .notYet(statement.notBefore) }
        let isForeseen = ask.action == .rollback && statement.action == .upgrade
        let end = isForeseen ? statement.rollback?.until : statement.notAfter
        guard let end else { return .nobody("it does not cover a rollback") }
        if wall >= end.time { return .ended(end) }
        let attempts = isForeseen ? statement.rollback?.attempts ?? 0 : statement.attempts
        // Those before it was written were permitted by another one.
        if ask.attempts.count(where: { $0 >= statement.issuedAt.time }) >= attempts {
            return .nobody(
                "its \(counted(attempts, "attempt")) of \(ask.placement) \(attempts == 1 ? "is" : "are") used up")
        }
        if let point = ask.holdPoint, !statement.holdPoints.contains(point) {
            return .nobody("it does not name the hold point \(point.spelled)")
        }
        if statement.run != nil, let boundary = ask.boundary, statement.boundary != boundary {
            return .otherBoundary(statement.boundary ?? "no boundary")
        }
        if ask.action == .rerun, statement.from != ask.from {
            return .nobody("it is for \(statement.from.map { "the steps from \($0) on" } ?? "the failed step")")
        }
        return nil
    }

    /// The groups of which one must permit it.
    private func groups(for ask: PermissionAsk) -> [PolicyGroup] {
        guard let policy else {
            guard case .claims = basis else { return [] }
            return [PolicyGroup(people: scope.owners[ask.placement.layer] ?? [], threshold: 1)]
        }
        let layer = policy.layers[ask.placement.layer]
        let owners = layer.map {
            PolicyGroup(people: $0.owners, threshold: ask.isOneWay ? $0.oneWayThreshold : $0.threshold)
        }
        switch ask.action {
        case .upgrade, .rollback, .retire, .finalize: return [owners].compactMap(\.self)
        // Forward in a layer that never goes back is the owners' own.
        case .rerun: return [owners, ask.isOneWay ? nil : policy.onCall].compactMap(\.self)
        case .signOff: return [owners, policy.onCall].compactMap(\.self)
        case .breakGlass:
            let people = (layer?.owners ?? []) + (policy.onCall?.people ?? [])
            return [PolicyGroup(people: people, threshold: 1)]
        case .acknowledge: return layer.map { [PolicyGroup(people: $0.owners, threshold: 1)] } ?? []
        case .revoke: return []
        }
    }

    private struct UnknownAccount: Error { var words: String }

    /// The people who do not count for it, each with why; nil if no rule excludes anybody. A failure if a rule can not be
    /// applied, because nobody is known by the account.
    private func excluded(for ask: PermissionAsk) -> Result<[Owner: String], UnknownAccount>? {
        guard let policy, ask.action == .upgrade, policy.rules.notAuthor || policy.rules.notStarter else { return nil }
        var people: [Owner: String] = [:]
        let rules: [(Bool, account: String?, role: String)] = [
            (policy.rules.notAuthor, scope.author, "added the plan"),
            (policy.rules.notStarter, scope.starter, "started the run"),
        ]
        for (isAsked, account, role) in rules where isAsked {
            // Before there is a run, nobody has started it.
            if role == "started the run", account == nil { continue }
            let owners = policy.people.filter { $0.value.accounts?.contains(account ?? "") == true }.map(\.key)
            guard account != nil, !owners.isEmpty else {
                let who = account.map { "the account \($0), which no person of the policy has" } ?? "an unknown account"
                return .failure(UnknownAccount(words: "\(who), \(role), so nobody can tell whether they approve"))
            }
            for owner in owners { people[owner] = "\(role), and does not count" }
        }
        return .success(people)
    }
}

extension Statement {
    /// Whether it is of the kind that could permit it.
    fileprivate func isAbout(_ ask: PermissionAsk) -> Bool {
        action == ask.action || (ask.action == .rollback && action == .upgrade && rollback != nil)
    }
}

extension Policy {
    /// Who may give a statement of this purpose at all. How many it takes is judged for each layer.
    package func entitled(to statement: Statement) -> Set<Owner> {
        let owners = Set(statement.layers.flatMap { layers[$0]?.owners ?? [] })
        let onCall = Set(onCall?.people ?? [])
        switch statement.action {
        case .upgrade, .rollback, .retire, .finalize, .acknowledge: return owners
        case .rerun, .signOff, .breakGlass: return owners.union(onCall)
        case .revoke: return owners.union(onCall).union(signers.people)
        }
    }
}

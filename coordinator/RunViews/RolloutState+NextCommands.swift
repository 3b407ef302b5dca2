package import OperatorCommands
package import RolloutEngine
package import UpgradeDomain

extension RecoveryOption {
    /// The command that takes it, and what it is for.
    ///
    /// - Parameters:
    ///   - owner: who may decide what takes an owner's decision.
    ///   - approvers: owners whose approval is still open.
    ///   - narrowest: the first option of the record; a person says why a wider one is taken.
    package func command(run: RunID, owner: Owner?, approvers: [Owner], narrowest: RecoveryOption) -> NextCommand {
        let reason: OperatorCommand.ReasonNeed = width > narrowest.width ? .asked : .none
        switch self {
        case .recheck(let host):
            return NextCommand(.recheck(host: host, run: run), "repaired by hand: capture and compare it again")
        case .rerun(let host, let steps, true):
            return NextCommand(
                .rerunSignedOff(host: host, run: run, from: nil, owner: owner),
                "run \(steps.words) again after the guardrails, with an owner's sign-off")
        case .rerun(let host, let steps, false):
            return NextCommand(
                .rerun(host: host, run: run, from: nil, approvedBy: approvers, reason: reason),
                "run \(steps.words) again after the guardrails: declared idempotent")
        case .rollback(let scope):
            return NextCommand(
                .rollback(scope: scope, run: run, approvedBy: approvers, reason: reason), scope.purpose)
        case .signOff(let hosts):
            return NextCommand(
                .signOff(hosts: hosts, run: run, owner: owner), "let the lower layers go past these hosts")
        case .resume:
            return NextCommand(.resume(run: run), "no host waits for a repair: check again what failed, and go on")
        case .retire(let host):
            return NextCommand(.retire(host: host, run: run, owner: owner), "take the host out of the run")
        case .cancel:
            return NextCommand(.cancel(run: run), "nothing was changed: end the run, which frees its hosts")
        }
    }
}

extension OperatorCommand {
    /// Has the agent of a host take an identity of its own, where it stands in a copy of another machine's disk.
    package static func renewIdentity(of host: Host) -> OperatorCommand {
        let folder = host.user == "root" ? "/var/lib/lockflight-agent" : ".local/state/lockflight-agent"
        return .program(words: [
            "ssh", "-p", "\(host.port)", "--", "\(host.user)@\(host.address)", "rm", "\(folder)/identity",
        ])
    }
}

extension RollbackScope {
    fileprivate var purpose: String {
        switch self {
        case .host: "take this host back"
        case .layer: "take the layer back"
        case .all: "take every touched host back, top layer first"
        }
    }
}

extension RolloutState {
    /// The next commands, narrowest first; none that would be refused.
    ///
    /// - Parameter wall: decides whose approvals still hold.
    package func nextCommands(at wall: WallTime) -> [NextCommand] { nextCommands(at: wall, from: boundaryRecord) }

    /// - Parameter record: of the boundary at which the run is held; nil where it is not.
    func nextCommands(at wall: WallTime, from record: BoundaryRecord?) -> [NextCommand] {
        waysOn(at: wall, from: record).filter { takes($0.command) }
    }

    /// What to do instead of a request that was refused: what would make it possible, or the narrowest way on.
    package func nextCommand(
        after refusal: RequestRefusal, of action: RequestedAction, at wall: WallTime
    ) -> OperatorCommand {
        var ways = [refusal.next].compactMap { $0 }
        if refusal.isForLayersAbove, case .rollback(let scope, _) = action {
            ways += rollbacks(insteadOf: scope, at: wall)
        }
        ways += nextCommands(at: wall).map(\.command)
        // Who wants to go back is not led to where nothing goes back any more.
        if case .rollback = action { ways.removeAll { $0 == .finalize(run: definition.run) } }
        return ways.first { takes($0) } ?? .status(run: definition.run)
    }

    private func rollbacks(insteadOf scope: RollbackScope, at wall: WallTime) -> [OperatorCommand] {
        let narrowest = boundaryRecord?.options.first
        return rollbacksInstead(of: scope).map { other in
            let option = RecoveryOption.rollback(scope: other)
            let isWider = narrowest.map { option.width > $0.width } ?? false
            return .rollback(
                scope: other, run: definition.run, approvedBy: approvers(of: option, at: wall),
                reason: isWider ? .asked : .none)
        }
    }

    private func waysOn(at wall: WallTime, from record: BoundaryRecord?) -> [NextCommand] {
        let run = definition.run
        if status == .rolledBack(.verified) {
            return [
                NextCommand(.finalize(run: run), "close the run as it is now"),
                NextCommand(.resume(run: run), "give every host a new attempt"),
            ]
        }
        if !isAtRest { return [NextCommand(.resume(run: run), "drive it on from here")] }
        if let options = record?.options, let narrowest = options.first {
            let ways = options.map { option in
                option.command(
                    run: run, owner: decider(of: option), approvers: approvers(of: option, at: wall),
                    narrowest: narrowest)
            }
            return ways + identityCommands + outputCommands
        }
        let takeBack = OperatorCommand.rollback(
            scope: .all, run: run, approvedBy: approvers(of: .rollback(scope: .all), at: wall), reason: .none)
        switch status {
        case .verified, .verifiedExcept:
            return [
                NextCommand(.finalize(run: run), "end the rollback window"),
                NextCommand(takeBack, "take the whole run back"),
            ]
        case .paused: return [NextCommand(.resume(run: run), "go on")]
        case .aborted:
            if refusal(of: .cancel) == nil {
                return [NextCommand(.cancel(run: run), "nothing was changed: end the run, which frees its hosts")]
            }
            if refusal(of: .finalize) == nil {
                return [NextCommand(.finalize(run: run), "everything went back: close the run, which frees its hosts")]
            }
            return refusal(of: .rollback(scope: .all, breakGlass: nil)) == nil
                ? [NextCommand(takeBack, "take every touched host back")]
                : [NextCommand(.start(plan: nil, succeeds: run), "go on with another plan from here")]
        case .preflight, .baseline, .changing, .proving, .rollingBack, .held, .rolledBack:
            return [NextCommand(.resume(run: run), "drive it on from here")]
        case .finalized, .cancelled, .superseded: return []
        }
    }

    /// Where all of what the failed script printed is; behind the ways on, as it changes nothing.
    private var outputCommands: [NextCommand] {
        guard let failure = holdingFailure, failure.ranLast != nil, !output(of: failure).isEmpty,
            let host = failure.host
        else { return [] }
        return [NextCommand(.showOutput(host: host, run: definition.run), "read all that was printed there")]
    }

    /// What makes hosts known that were taken for others; behind the ways on, as it is no recovery by itself.
    private var identityCommands: [NextCommand] {
        func failed(_ codes: HoldCode...) -> [HostName] {
            var seen: Set<HostName> = []
            return unresolvedFailures.filter { codes.contains($0.problem.code) }.compactMap(\.host)
                .filter { seen.insert($0).inserted }
        }
        var commands: [NextCommand] = []
        let strangers = failed(.hostKeyUnknown, .hostKeyChanged)
        if let first = strangers.first {
            // The key may be that of a jump host before them: then all are asked.
            let isDirect = strangers.count <= RunOverview.namesShown && strangers.allSatisfy { hosts[$0]?.jump == nil }
            let others = strangers.count > 1 ? "; the same for \(strangers.count - 1) more" : ""
            commands = [
                NextCommand(
                    .replaceKeys(hosts: isDirect ? strangers : []),
                    "pin a key, once its fingerprint is known to be right"),
                NextCommand(
                    .rebind(host: first, run: definition.run), "let this run use the key that is pinned now\(others)"),
            ]
        }
        if let copy = failed(.machineDuplicated).first, let host = hosts[copy] {
            commands.append(
                NextCommand(
                    .renewIdentity(of: host), "only if \(copy) is a machine of its own that was made from a copy"))
        }
        return commands
    }

    /// One owner of each layer that has not agreed yet.
    private func approvers(of option: RecoveryOption, at wall: WallTime) -> [Owner] {
        let action: RequestedAction? =
            switch option {
            case .rerun(let host, _, let needsSignOff): needsSignOff ? nil : .rerun(host: host, signedOffBy: nil)
            case .rollback(let scope): .rollback(scope: scope, breakGlass: nil)
            case .recheck, .signOff, .resume, .retire, .cancel: nil
            }
        return action.map { firstOwners(of: layersWithoutApproval(for: $0, at: wall)) } ?? []
    }

    /// An owner who may decide an option that needs one.
    private func decider(of option: RecoveryOption) -> Owner? {
        switch option {
        case .rerun(let host, _, _): rerunner(of: host)
        case .retire(let host): retirer(of: host)
        case .signOff(let hosts): passer(of: hosts)
        case .recheck, .rollback, .resume, .cancel: nil
        }
    }
}

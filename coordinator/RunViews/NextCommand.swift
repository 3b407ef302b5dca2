import Approvals
package import OperatorCommands
package import RolloutEngine
package import UpgradeDomain

/// A command that can be run now, and its purpose.
package struct NextCommand: Codable, Hashable {
    package var command: OperatorCommand
    package var why: String

    package init(_ command: OperatorCommand, _ why: String) {
        self.command = command
        self.why = why
    }

    /// Its purpose, and whether it asks for a reason.
    package var sentence: String { command.asksForReason ? "\(why); asks for the reason" : why }
}

/// A next command for `--json` and pages.
package struct NextCommandDocument: Encodable {
    package var command: String
    package var why: String
    /// What it asks for; without a terminal, give it with the option of that name.
    package var asks: [String]?

    package init(_ next: NextCommand, _ lines: CommandLines) {
        command = lines.line(next.command)
        why = next.why
        asks = next.command.asksForReason ? ["reason"] : nil
    }
}

extension RecoveryOption {
    /// The command for this option, and its purpose.
    ///
    /// - Parameters:
    ///   - owner: an owner who may decide, if the option needs a decision.
    ///   - approvers: owners whose approval is missing.
    ///   - narrowest: the first option of the record; a wider option needs a reason.
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
                .signOff(hosts: hosts, run: run, owner: owner), "let the lower layers continue without these hosts")
        case .resume:
            return NextCommand(.resume(run: run), "no host needs a repair: check what failed again, and continue")
        case .retire(let host):
            return NextCommand(.retire(host: host, run: run, owner: owner), "remove the host from the run")
        case .cancel:
            return NextCommand(.cancel(run: run), "nothing was changed: end the run and free its hosts")
        }
    }
}

extension OperatorCommand {
    /// Gives the agent of a host a new identity, for a machine that was cloned from another one.
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
        case .host: "roll back this host"
        case .layer: "roll back the layer"
        case .all: "roll back every touched host, top layer first"
        }
    }
}

extension RolloutState {
    /// The next commands, narrowest first; none that would be refused.
    ///
    /// - Parameter wall: decides which approvals are still valid.
    package func nextCommands(at wall: WallTime) -> [NextCommand] { nextCommands(at: wall, from: boundaryRecord) }

    /// - Parameter record: the record of the boundary at which the run is held; nil if it is not held.
    func nextCommands(at wall: WallTime, from record: BoundaryRecord?) -> [NextCommand] {
        (waysOn(at: wall, from: record) + acknowledgement).filter { takes($0.command) }
    }

    /// The next command after a refused request: one that makes the request possible, or the narrowest option.
    package func nextCommand(
        after refusal: RequestRefusal, of action: RequestedAction, at wall: WallTime
    ) -> OperatorCommand {
        var ways = [refusal.next].compactMap { $0 }
        if refusal.isForLayersAbove, case .rollback(let scope, _) = action {
            ways += rollbacks(insteadOf: scope, at: wall)
        }
        ways += nextCommands(at: wall).map(\.command)
        // After a refused rollback, do not suggest to end the rollback window.
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
        if let wait, status == .awaitingApproval(before: wait.wait.holdPoint) { return waysOn(from: wait.wait) }
        if !isAtRest { return [NextCommand(.resume(run: run), "continue the run from here")] }
        if let options = record?.options, let narrowest = options.first {
            let ways = options.map { option in
                option.command(
                    run: run, owner: decider(of: option), approvers: approvers(of: option, at: wall),
                    narrowest: narrowest)
            }
            return ways + identityCommands + outputCommands
        }
        if record != nil, holdingFailure?.problem.code == .approvalEnded {
            // It goes on from a run that changed hosts, so it is not cancelled: another one takes over from it.
            let plan = definition.planDigest.short
            let owner = definition.endedApproval(at: wall)?.owner
            return [
                NextCommand(.approvePlan(plan: plan, owner: owner), "approve the plan again"),
                NextCommand(.start(plan: plan, succeeds: run), "continue with a run that succeeds this one"),
            ]
        }
        let takeBack = OperatorCommand.rollback(
            scope: .all, run: run, approvedBy: approvers(of: .rollback(scope: .all), at: wall), reason: .none)
        switch status {
        case .verified, .verifiedExcept:
            return [
                NextCommand(.finalize(run: run), "end the rollback window"),
                NextCommand(takeBack, "roll back the whole run"),
            ]
        case .paused: return [NextCommand(.resume(run: run), "continue")]
        case .aborted:
            if refusal(of: .cancel) == nil {
                return [NextCommand(.cancel(run: run), "nothing was changed: end the run and free its hosts")]
            }
            if refusal(of: .finalize) == nil {
                return [NextCommand(.finalize(run: run), "everything is rolled back: close the run and free its hosts")]
            }
            return refusal(of: .rollback(scope: .all, breakGlass: nil)) == nil
                ? [NextCommand(takeBack, "roll back every touched host")]
                : [NextCommand(.start(plan: nil, succeeds: run), "continue with another plan from here")]
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .rollingBack, .held, .rolledBack:
            return [NextCommand(.resume(run: run), "continue the run from here")]
        case .finalized, .cancelled, .superseded: return []
        }
    }

    /// A run that waits goes on by itself where it is driven, so a resume is needed only where nobody drives it.
    private func waysOn(from wait: ApprovalWait) -> [NextCommand] {
        let plan = definition.planDigest.short
        let given = authority.given.filter { own in wait.holdPoint.map(own.statement.holdPoints.contains) ?? true }
        let owner = wait.asked.first { owner in !given.contains { $0.people.contains(owner) } } ?? wait.asked.first
        let approve =
            wait.holdPoint.map { OperatorCommand.approveHoldPoint(plan: plan, point: $0, owner: owner) }
            ?? .approvePlan(plan: plan, owner: owner)
        return [
            NextCommand(approve, "give the approval"),
            NextCommand(.resume(run: definition.run), "go on waiting, if nobody drives the run"),
        ]
    }

    /// After everything else, as it changes nothing but the record; repeated until somebody does it.
    private var acknowledgement: [NextCommand] {
        guard let open = openOverrides.first else { return [] }
        return [
            NextCommand(
                .acknowledgeOverride(run: definition.run, owner: acknowledgers(of: open).first),
                "say that an owner has seen that \(open.owner) overrode guardrails")
        ]
    }

    /// The command that shows the failed script's whole output; listed after the options, because it changes nothing.
    private var outputCommands: [NextCommand] {
        guard let failure = holdingFailure, failure.ranLast != nil, !output(of: failure).isEmpty,
            let host = failure.host
        else { return [] }
        return [NextCommand(.showOutput(host: host, run: definition.run), "show the whole output of that host")]
    }

    /// Commands that fix the keys and identities of hosts; listed after the options, because they do not recover a
    /// host.
    private var identityCommands: [NextCommand] {
        func failed(_ codes: HoldCode...) -> [HostName] {
            var seen: Set<HostName> = []
            return unresolvedFailures.filter { codes.contains($0.problem.code) }.compactMap(\.host)
                .filter { seen.insert($0).inserted }
        }
        var commands: [NextCommand] = []
        let strangers = failed(.hostKeyUnknown, .hostKeyChanged)
        if let first = strangers.first {
            // The key may be that of a jump host in front of them: then all hosts are asked.
            let isDirect = strangers.count <= RunOverview.namesShown && strangers.allSatisfy { hosts[$0]?.jump == nil }
            let others = strangers.count > 1 ? "; the same for \(strangers.count - 1) more" : ""
            commands = [
                NextCommand(
                    .replaceKeys(hosts: isDirect ? strangers : []),
                    "pin a key, once you have verified its fingerprint"),
                NextCommand(
                    .rebind(host: first, run: definition.run), "let this run use the newly pinned key\(others)"),
            ]
        }
        if let copy = failed(.machineDuplicated).first, let host = hosts[copy] {
            commands.append(
                NextCommand(
                    .renewIdentity(of: host), "only if \(copy) is a separate machine that was cloned from another"))
        }
        return commands
    }

    /// One owner of each layer whose approval is missing.
    private func approvers(of option: RecoveryOption, at wall: WallTime) -> [Owner] {
        let action: RequestedAction? =
            switch option {
            case .rerun(let host, _, let needsSignOff): needsSignOff ? nil : .rerun(host: host, signedOffBy: nil)
            case .rollback(let scope): .rollback(scope: scope, breakGlass: nil)
            case .recheck, .signOff, .resume, .retire, .cancel: nil
            }
        return action.map { firstOwners(of: layersWithoutApproval(for: $0, at: wall)) } ?? []
    }

    /// An owner who may decide an option that needs a decision.
    private func decider(of option: RecoveryOption) -> Owner? {
        switch option {
        case .rerun(let host, _, _): rerunner(of: host)
        case .retire(let host): retirer(of: host)
        case .signOff(let hosts): passer(of: hosts)
        case .recheck, .rollback, .resume, .cancel: nil
        }
    }
}

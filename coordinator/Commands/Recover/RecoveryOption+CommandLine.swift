import RolloutEngine
import UpgradeDomain

extension RecoveryOption {
    /// The exact command, and what it is for.
    ///
    /// - Parameters:
    ///   - owner: who may decide what takes an owner's decision.
    ///   - approvers: owners whose approval is still open.
    ///   - narrowest: the first option of the record; a wider one is recorded with a reason.
    func commandLine(
        run: RunID, owner: Owner?, approvers: [Owner], narrowest: RecoveryOption
    ) -> NextCommand {
        let someone = owner?.rawValue ?? "OWNER"
        let because =
            approvers.map { " --as \($0)" }.joined()
            + (width > narrowest.width ? " --reason 'a narrower way did not do'" : "")
        switch self {
        case .recheck(let host):
            return NextCommand(
                "lockflight recover recheck \(host) --run \(run)", "repaired by hand: capture and compare it again"
            )
        case .rerun(let host, let needsSignOff):
            return needsSignOff
                ? NextCommand(
                    "lockflight recover rerun \(host) --run \(run) --sign-off \(someone) --reason 'checked on the host'",
                    "run the failed step again, with an owner's sign-off"
                )
                : NextCommand(
                    "lockflight recover rerun \(host) --run \(run)\(because)",
                    "run the failed step again: it is declared idempotent"
                )
        case .rollback(.host(let host)):
            return NextCommand("lockflight rollback \(run) --host \(host)\(because)", "take this host back")
        case .rollback(.layer(let layer)):
            return NextCommand("lockflight rollback \(run) --layer \(layer)\(because)", "take the layer back")
        case .rollback(.all):
            return NextCommand(
                "lockflight rollback \(run) --all\(because)", "take every touched host back, top layer first")
        case .signOff(let hosts):
            let list = hosts.map(\.rawValue).joined(separator: " ")
            return NextCommand(
                "lockflight recover sign-off \(list) --run \(run) --as \(someone) --reason 'accepted as it is'",
                "let the lower layers go past these hosts"
            )
        case .resume:
            return NextCommand(
                "lockflight rollout resume \(run)", "nobody waits for an answer: check again what failed, and go on"
            )
        case .retire(let host):
            return NextCommand(
                "lockflight rollout retire \(run) --host \(host) --as \(someone) --reason 'machine is gone'",
                "take the host out of the run"
            )
        }
    }
}

extension CommandError {
    /// A refused request, with what would make it possible and the narrowest command that can be given now.
    init(_ refusal: RequestRefusal, of state: RolloutState, at wall: WallTime, consequence: String) {
        self.init(
            .refused, refusal.message, consequence: "\(consequence): \(refusal.remedy).",
            next: state.nextCommands(at: wall).first?.command ?? "lockflight status \(state.definition.run)")
    }
}

extension RolloutState {
    /// The next commands, narrowest first.
    ///
    /// - Parameter wall: decides whose approvals still hold.
    func nextCommands(at wall: WallTime) -> [NextCommand] {
        let run = definition.run
        if status == .rolledBack(.verified) {
            return [
                NextCommand("lockflight rollout finalize \(run)", "close the run as it is now"),
                NextCommand("lockflight rollout resume \(run)", "give every host a new attempt"),
            ]
        }
        if !isAtRest { return [NextCommand("lockflight rollout resume \(run)", "drive it on from here")] }
        if let options = boundaryRecord?.options, let narrowest = options.first {
            return options.map { option in
                option.commandLine(
                    run: run, owner: decider(of: option), approvers: approvers(of: option, at: wall),
                    narrowest: narrowest)
            }
        }
        let approvals = approvers(of: .rollback(scope: .all), at: wall).map { " --as \($0)" }.joined()
        switch status {
        case .verified, .verifiedExcept:
            return [
                NextCommand("lockflight rollout finalize \(run)", "end the rollback window"),
                NextCommand("lockflight rollback \(run) --all\(approvals)", "take the whole run back"),
            ]
        case .paused: return [NextCommand("lockflight rollout resume \(run)", "go on")]
        case .aborted:
            return touchedPlacements.isEmpty
                ? [] : [NextCommand("lockflight rollback \(run) --all\(approvals)", "take every touched host back")]
        case .preflight, .baseline, .changing, .proving, .rollingBack, .held, .rolledBack:
            return [NextCommand("lockflight rollout resume \(run)", "drive it on from here")]
        case .finalized, .superseded: return []
        }
    }

    /// One owner of each layer that has not agreed yet.
    private func approvers(of option: RecoveryOption, at wall: WallTime) -> [Owner] {
        let action: RequestedAction? =
            switch option {
            case .rerun(let host, let needsSignOff): needsSignOff ? nil : .rerun(host: host, signedOffBy: nil)
            case .rollback(let scope): .rollback(scope: scope, breakGlass: nil)
            case .recheck, .signOff, .resume, .retire: nil
            }
        let owners = action.map { layersWithoutApproval(for: $0, at: wall).compactMap(ownerOf) } ?? []
        var seen: Set<Owner> = []
        return owners.filter { seen.insert($0).inserted }
    }

    /// An owner who may decide an option that needs one.
    private func decider(of option: RecoveryOption) -> Owner? {
        switch option {
        case .rerun(let host, _), .retire(let host): placements(of: host).last.flatMap { ownerOf($0.layer) }
        case .signOff(let hosts):
            hosts.first.flatMap { host in placements(of: host).last }.flatMap { ownerOf($0.layer) }
        case .recheck, .rollback, .resume: nil
        }
    }

    private func ownerOf(_ layer: LayerName) -> Owner? { definition.owners[layer]?.first }

    /// The exit code that says what the run is.
    var exitStatus: ExitStatus {
        switch status {
        case .verified, .verifiedExcept, .finalized, .superseded: .verified
        case .held(.hostUnreachable), .held(.operationUnsettled): unresolvedFailures.isEmpty ? .held : .unreachable
        case .held, .paused, .aborted: .held
        case .rolledBack(.verified): .rolledBackVerified
        case .rolledBack: .rolledBackNotVerified
        case .preflight, .baseline, .changing, .proving, .rollingBack: .detached
        }
    }
}

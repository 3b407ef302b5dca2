package import OperatorCommands
package import UpgradeDomain

extension RolloutState {
    /// Whether this run would accept a command now, as far as the run decides it. A command that would be refused is
    /// never suggested.
    package func takes(_ command: OperatorCommand) -> Bool {
        switch command {
        case .resume:
            switch resumption(isDriven: false) {
            case .closed: return false
            case .decision: return refusal(of: .resume) == nil
            case .driver, .underWay: return true
            }
        case .abort: return refusal(of: .abort) == nil
        case .finalize: return refusal(of: .finalize) == nil
        case .cancel: return refusal(of: .cancel) == nil
        case .start(_, let predecessor): return predecessor == nil || refusal(of: .supersede(by: "successor")) == nil
        case .rebind(let host, _): return !isClosed && hosts[host] != nil
        case .retire(let host, _, let owner):
            guard let owner = owner ?? retirer(of: host) else { return false }
            return refusal(of: .retire(host: host, owner: owner)) == nil
        case .showBoundary: return boundaryRecord != nil
        case .recheck(let host, _): return refusal(of: .recheck(host: host)) == nil
        case .rerun(let host, _, let step, _, _):
            return refusal(of: .rerun(host: host, signedOffBy: nil, from: step)) == nil
        case .rerunSignedOff(let host, _, let step, let owner):
            guard let owner = owner ?? rerunner(of: host) else { return false }
            return refusal(of: .rerun(host: host, signedOffBy: owner, from: step)) == nil
        case .rollback(let scope, _, _, _): return refusal(of: .rollback(scope: scope, breakGlass: nil)) == nil
        case .signOff(let hosts, _, let owner):
            guard let owner = owner ?? passer(of: hosts) else { return false }
            return refusal(of: .signOff(hosts: hosts, owner: owner)) == nil
        case .permit(let action, _, _): return refusal(of: action) == nil
        case .acknowledgeOverride: return !isClosed && !openOverrides.isEmpty
        case .approveHoldPoint: return !isClosed
        case .importInventory, .importTrustingSSHConfig, .initMap, .importMapped, .listInventory, .showHost, .trustKeys,
            .trustKnownHosts,
            .replaceKeys, .addPlan, .listPlans, .showPlan, .approvePlan, .initPolicy, .checkPolicy, .signPolicy,
            .addPolicy,
            .showPolicy, .watch, .status, .statusOfEveryHost,
            .showEvents, .showOutput, .showLease, .adopt, .verifyLedger, .quarantine, .rebuildLedger,
            .listReconstructed, .verifyEvidence,
            .startLab, .endLab, .addApproval, .listApprovals, .showApproval, .program:
            return true
        }
    }

    /// An owner who may retire a host: an owner of its top layer.
    package func retirer(of host: HostName) -> Owner? { placements(of: host).last.flatMap { firstOwner(of: $0.layer) } }

    /// An owner who may sign off a rerun of a host.
    package func rerunner(of host: HostName) -> Owner? { rerunPlacement(of: host).flatMap { firstOwner(of: $0.layer) } }

    /// An owner who may let the lower layers go on past hosts that a rollback left unverified.
    package func passer(of hosts: [HostName]) -> Owner? {
        placementsAwaitingSignOff.first { hosts.contains($0.host) }.flatMap { firstOwner(of: $0.layer) }
    }

    /// The rollbacks that can be requested instead of one that was refused, smallest scope first. What changed last
    /// rolls back first.
    package func rollbacksInstead(of scope: RollbackScope) -> [RollbackScope] {
        let top = plan.layers.map { RollbackScope.layer(name: $0.name) }.last { !rollbackTargets($0).isEmpty }
        return [top, .all].compactMap { $0 }.filter {
            $0 != scope && refusal(of: .rollback(scope: $0, breakGlass: nil)) == nil
        }
    }
}

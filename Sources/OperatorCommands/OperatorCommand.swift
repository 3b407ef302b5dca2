package import UpgradeDomain

/// What an operator can do next, as a case: which command, and its arguments.
///
/// ``CommandLines`` alone decides how it is written on a command line and quoted for a shell. A nil value is not known
/// where the command is suggested: it is written in capitals for a person to replace.
package enum OperatorCommand: Hashable, Codable, Sendable {
    // The inventory.
    case importInventory(file: String?)
    /// With the ssh_config that the file names.
    case importTrustingSSHConfig(file: String, format: String? = nil, map: String? = nil)
    /// Writes a mapping file for an inventory from elsewhere.
    case initMap(file: String, format: String?)
    case importMapped(file: String, format: String?, map: String)
    case listInventory
    case showHost(host: HostName)
    case trustKeys(hosts: [HostName])
    case trustKnownHosts(file: String)
    /// Reads the hosts' keys, and pins those that a person confirms in place of the old ones; an empty list means all
    /// hosts.
    case replaceKeys(hosts: [HostName])

    // Plans. A plan is identified by its name or its digest.
    /// A file that names no versions needs them with the command.
    case addPlan(file: String?, needsVersions: Bool = false)
    case listPlans
    case showPlan(plan: String)
    case approvePlan(plan: String, owner: Owner?)

    // The policy.
    /// Nil writes the default file.
    case initPolicy(file: String?)
    case checkPolicy(file: String)
    case signPolicy(file: String, key: String?)
    case addPolicy(file: String)
    /// Nil shows the current version.
    case showPolicy(version: Int?)

    // A run.
    case start(plan: String?, succeeds: RunID?)
    case watch(run: RunID)
    /// Nil resumes the run that was started last.
    case resume(run: RunID?)
    case abort(run: RunID)
    case finalize(run: RunID)
    case cancel(run: RunID)
    /// Copies a host's address and key from the inventory into the run.
    case rebind(host: HostName, run: RunID)
    case retire(host: HostName, run: RunID, owner: Owner?)
    /// Nil shows the last run.
    case status(run: RunID?)
    case statusOfEveryHost(run: RunID)
    case showEvents(run: RunID)
    /// All output of the last operation on a host.
    case showOutput(host: HostName, run: RunID)
    case showLease(run: RunID)
    /// Takes over a host from another ledger, or from a copy of this one.
    case adopt(host: HostName, owner: Owner?)

    // Recovery.
    case showBoundary(run: RunID)
    case recheck(host: HostName, run: RunID)
    /// - Parameter from: nil is the step that failed, or the last one.
    case rerun(host: HostName, run: RunID, from: StepName?, approvedBy: [Owner], reason: ReasonNeed)
    /// Runs a step again that is not declared idempotent.
    case rerunSignedOff(host: HostName, run: RunID, from: StepName?, owner: Owner?)
    case rollback(scope: RollbackScope, run: RunID, approvedBy: [Owner], reason: ReasonNeed)
    case signOff(hosts: [HostName], run: RunID, owner: Owner?)
    /// Signs what permits a request: a rerun, a rollback, a sign-off, a retirement or the end of the rollback window.
    case permit(RequestedAction, run: RunID, owner: Owner?)
    /// Says that an owner has seen that guardrails were overridden.
    case acknowledgeOverride(run: RunID, owner: Owner?)
    /// Approves a plan for one of its hold points.
    case approveHoldPoint(plan: String, point: HoldPoint, owner: Owner?)
    /// Takes signatures that were made elsewhere.
    case addApproval(file: String?)
    case listApprovals
    /// - Parameter prints: whether only the text that is signed is printed.
    case showApproval(id: StatementID, prints: Bool)

    // The record.
    /// - Parameter file: another ledger than the current one.
    case verifyLedger(file: String?)
    /// Quarantines a run whose record cannot be followed, and asks its hosts.
    case quarantine(run: RunID, abandoned: [HostName])
    /// - Parameter without: hosts that are not asked; nil is a placeholder for a person to fill in.
    case rebuildLedger(without: [HostName]?)
    case listReconstructed
    case verifyEvidence(file: String)

    // The lab.
    case startLab(folder: String)
    case endLab(folder: String)

    /// A program of the local machine, word by word.
    case program(words: [String])

    /// Whether a person must give a reason.
    package enum ReasonNeed: String, Codable, Sendable { case none, asked }
}

extension OperatorCommand {
    /// Whether the command asks a person for a reason, which is recorded. The reason must come from a person, so it is
    /// not part of the command that is shown.
    package var asksForReason: Bool {
        switch self {
        case .rebind, .retire, .signOff, .rerunSignedOff, .quarantine, .adopt: true
        case .rerun(_, _, _, _, let reason), .rollback(_, _, _, let reason): reason == .asked
        case .importInventory, .importTrustingSSHConfig, .initMap, .importMapped, .listInventory, .showHost, .trustKeys,
            .trustKnownHosts,
            .replaceKeys, .addPlan,
            .listPlans,
            .showPlan, .approvePlan, .initPolicy, .checkPolicy, .signPolicy, .addPolicy, .showPolicy, .start, .watch,
            .resume, .abort, .finalize, .cancel, .status, .statusOfEveryHost,
            .showEvents, .showOutput, .showLease,
            .showBoundary, .recheck, .verifyLedger, .rebuildLedger, .listReconstructed, .verifyEvidence, .startLab,
            .endLab, .permit, .acknowledgeOverride, .approveHoldPoint, .addApproval, .listApprovals, .showApproval,
            .program:
            false
        }
    }
}

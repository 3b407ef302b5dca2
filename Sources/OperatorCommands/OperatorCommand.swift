import SafeText
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

/// The one place that writes suggested commands: their words as this program's own parser reads them, quoted for a
/// shell.
package struct CommandLines: Sendable {
    /// The ledger file if the option `--ledger` named it: the next command needs the same option. Nil if it came from
    /// the environment or the default.
    package var ledger: String?

    package init(ledger: String? = nil) { self.ledger = ledger }

    /// One line that can be pasted into a shell unchanged.
    package func line(_ command: OperatorCommand) -> String { ShellText.line(words(command)) }

    /// The same, word by word, with the program's name first. A value that begins like an option is written so that it
    /// cannot be read as one.
    package func words(_ command: OperatorCommand) -> [String] {
        if case .program(let words) = command { return words }
        var options = command.options
        if let ledger, options.allSatisfy({ $0.name != "ledger" }) { options.append((name: "ledger", value: ledger)) }
        let written = options.flatMap { option -> [String] in
            guard let value = option.value else { return ["--\(option.name)"] }
            return value.begins(with: "-") ? ["--\(option.name)=\(value)"] : ["--\(option.name)", value]
        }
        let plain = command.operands.filter { !$0.begins(with: "-") }
        let dashed = command.operands.filter { $0.begins(with: "-") }
        return ["lockflight"] + command.path + plain + written + (dashed.isEmpty ? [] : ["--"] + dashed)
    }
}

extension OperatorCommand {
    /// The subcommand.
    fileprivate var path: [String] {
        switch self {
        case .importInventory, .importTrustingSSHConfig, .initMap, .importMapped: ["inventory", "import"]
        case .listInventory: ["inventory", "list"]
        case .showHost: ["inventory", "show"]
        case .trustKeys, .trustKnownHosts, .replaceKeys: ["inventory", "trust"]
        case .addPlan: ["plan", "add"]
        case .listPlans: ["plan", "list"]
        case .showPlan: ["plan", "show"]
        case .approvePlan: ["plan", "approve"]
        case .initPolicy: ["policy", "init"]
        case .checkPolicy: ["policy", "check"]
        case .signPolicy: ["policy", "sign"]
        case .addPolicy: ["policy", "add"]
        case .showPolicy: ["policy", "show"]
        case .start: ["rollout", "start"]
        case .watch: ["rollout", "watch"]
        case .resume: ["rollout", "resume"]
        case .abort: ["rollout", "abort"]
        case .finalize: ["rollout", "finalize"]
        case .cancel: ["rollout", "cancel"]
        case .rebind: ["rollout", "rebind"]
        case .retire: ["rollout", "retire"]
        case .status, .statusOfEveryHost: ["status"]
        case .showEvents: ["events"]
        case .showOutput: ["output"]
        case .showLease: ["lease", "show"]
        case .adopt: ["lease", "adopt"]
        case .showBoundary: ["recover", "show"]
        case .recheck: ["recover", "recheck"]
        case .rerun, .rerunSignedOff: ["recover", "rerun"]
        case .rollback: ["rollback"]
        case .signOff: ["recover", "sign-off"]
        case .permit(let action, _, _): ["recover", "approve"] + [action.permitWord].compactMap(\.self)
        case .acknowledgeOverride: ["approval", "acknowledge"]
        case .approveHoldPoint: ["plan", "approve"]
        case .addApproval: ["approval", "add"]
        case .listApprovals: ["approval", "list"]
        case .showApproval: ["approval", "show"]
        case .verifyLedger: ["ledger", "verify"]
        case .quarantine: ["ledger", "quarantine"]
        case .rebuildLedger: ["ledger", "rebuild"]
        case .listReconstructed: ["ledger", "reconstructed"]
        case .verifyEvidence: ["evidence", "verify"]
        case .startLab: ["lab", "up"]
        case .endLab: ["lab", "down"]
        case .program: []
        }
    }

    /// The arguments after the subcommand that have no option name.
    fileprivate var operands: [String] {
        switch self {
        case .importInventory(let file), .addPlan(let file, _): [file ?? "FILE"]
        case .verifyEvidence(let file), .importTrustingSSHConfig(let file, _, _), .initMap(let file, _),
            .importMapped(let file, _, _), .checkPolicy(let file), .signPolicy(let file, _), .addPolicy(let file):
            [file]
        case .showPlan(let plan), .approvePlan(let plan, _), .approveHoldPoint(let plan, _, _): [plan]
        case .addApproval(let file): [file ?? "FILE"]
        case .showApproval(let id, _): [id.short]
        case .acknowledgeOverride(let run, _): [run.rawValue]
        case .permit(let action, _, _): action.permitHosts.map(\.rawValue)
        case .start(let plan, _): [plan ?? "PLAN"]
        case .showHost(let host), .showOutput(let host, _), .adopt(let host, _), .recheck(let host, _),
            .rerun(let host, _, _, _, _),
            .rerunSignedOff(let host, _, _, _):
            [host.rawValue]
        case .trustKeys(let hosts), .replaceKeys(let hosts), .signOff(let hosts, _, _): hosts.map(\.rawValue)
        case .watch(let run), .abort(let run), .finalize(let run), .cancel(let run), .rebind(_, let run),
            .retire(_, let run, _),
            .statusOfEveryHost(let run),
            .showEvents(let run), .showLease(let run), .showBoundary(let run), .rollback(_, let run, _, _),
            .quarantine(let run, _):
            [run.rawValue]
        case .resume(let run), .status(let run): run.map { [$0.rawValue] } ?? []
        case .listInventory, .trustKnownHosts, .listPlans, .initPolicy, .showPolicy, .verifyLedger, .rebuildLedger,
            .listReconstructed, .startLab,
            .endLab, .listApprovals, .program:
            []
        }
    }

    /// Options in order; a flag has no value.
    fileprivate var options: [(name: String, value: String?)] {
        switch self {
        case .trustKnownHosts(let file): [("known-hosts", file)]
        case .importTrustingSSHConfig(_, let format, let map):
            (format.map { [("from", $0)] } ?? []) + (map.map { [("map", $0)] } ?? []) + [("allow-ssh-config", nil)]
        case .addPlan(_, let needsVersions): needsVersions ? [("from", "VERSION"), ("to", "VERSION")] : []
        case .initMap(_, let format): (format.map { [("from", $0)] } ?? []) + [("init-map", "map.yaml")]
        case .importMapped(_, let format, let map): (format.map { [("from", $0)] } ?? []) + [("map", map)]
        case .replaceKeys: [("scan", nil), ("replace", nil)]
        case .approvePlan(_, let owner): [("as", owner?.rawValue ?? "OWNER")]
        case .initPolicy(let file): file.map { [("out", $0)] } ?? []
        case .signPolicy(_, let key): [("key", key ?? "KEY")]
        case .showPolicy(let version): version.map { [("version", "\($0)")] } ?? []
        case .adopt(_, let owner): [("as", owner?.rawValue ?? "OWNER")]
        case .start(_, let predecessor): predecessor.map { [("succeeds", $0.rawValue)] } ?? [("watch", nil)]
        case .rebind(let host, _): [("host", host.rawValue)]
        case .retire(let host, _, let owner): [("host", host.rawValue), ("as", owner?.rawValue ?? "OWNER")]
        case .statusOfEveryHost: [("all", nil)]
        case .recheck(_, let run), .showOutput(_, let run): [("run", run.rawValue)]
        case .startLab(let folder), .endLab(let folder): [("folder", folder)]
        case .rerun(_, let run, let step, let owners, _):
            [("run", run.rawValue)] + from(step) + owners.map { ("as", $0.rawValue) }
        case .rerunSignedOff(_, let run, let step, let owner):
            [("run", run.rawValue)] + from(step) + [("sign-off", owner?.rawValue ?? "OWNER")]
        case .rollback(let scope, _, let owners, _): [scope.option] + owners.map { ("as", $0.rawValue) }
        case .signOff(_, let run, let owner): [("run", run.rawValue), ("as", owner?.rawValue ?? "OWNER")]
        case .permit(let action, let run, let owner):
            action.permitOptions + [("run", run.rawValue), ("as", owner?.rawValue ?? "OWNER")]
        case .showApproval(_, let prints): prints ? [("print", nil)] : []
        case .acknowledgeOverride(_, let owner): [("as", owner?.rawValue ?? "OWNER")]
        case .approveHoldPoint(_, let point, let owner):
            [("at", point.spelled), ("as", owner?.rawValue ?? "OWNER")]
        case .verifyLedger(let file): file.map { [("ledger", $0)] } ?? []
        case .quarantine(_, let hosts): hosts.map { ("abandon", $0.rawValue) }
        case .rebuildLedger(let hosts):
            [("from-hosts", nil)] + (hosts.map { $0.map(\.rawValue) } ?? ["HOST"]).map { ("without", $0) }
        case .importInventory, .listInventory, .showHost, .trustKeys, .listPlans, .showPlan, .checkPolicy, .addPolicy,
            .watch, .resume,
            .abort, .finalize, .cancel, .status, .showEvents, .showLease, .showBoundary, .listReconstructed,
            .verifyEvidence, .addApproval, .listApprovals,
            .program:
            []
        }
    }
}

private func from(_ step: StepName?) -> [(name: String, value: String?)] { step.map { [("from", $0.rawValue)] } ?? [] }

extension RequestedAction {
    /// The subcommand of `recover approve`; nil for requests that need no approval.
    fileprivate var permitWord: String? {
        switch self {
        case .rerun: "rerun"
        case .rollback(_, nil): "rollback"
        case .rollback: "break-glass"
        case .signOff: "sign-off"
        case .retire: "retire"
        case .finalize: "finalize"
        case .pause, .resume, .abort, .recheck, .rebind, .cancel, .supersede, .approveRecovery, .present: nil
        }
    }

    fileprivate var permitHosts: [HostName] {
        switch self {
        case .rerun(let host, _, _), .retire(let host, _): [host]
        case .signOff(let hosts, _): hosts
        case .rollback, .finalize, .pause, .resume, .abort, .recheck, .rebind, .cancel, .supersede, .approveRecovery,
            .present:
            []
        }
    }

    fileprivate var permitOptions: [(name: String, value: String?)] {
        switch self {
        case .rollback(let scope, _): [scope.option]
        case .rerun(_, _, let step): from(step)
        case .signOff, .retire, .finalize, .pause, .resume, .abort, .recheck, .rebind, .cancel, .supersede,
            .approveRecovery, .present:
            []
        }
    }
}

extension RollbackScope {
    fileprivate var option: (name: String, value: String?) {
        switch self {
        case .host(let host): ("host", host.rawValue)
        case .layer(let layer): ("layer", layer.rawValue)
        case .all: ("all", nil)
        }
    }
}

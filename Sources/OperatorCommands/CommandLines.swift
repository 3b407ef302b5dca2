import SafeText
import UpgradeDomain

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

public import UpgradeDomain

/// What a run needs of a host before it starts.
public struct PreflightNeeds: Hashable, Sendable {
    /// Commands whose executable and script must be there, placeholders replaced.
    public var commands: [ScriptCommand]
    /// Paths that a rollback needs.
    public var requires: [String]
    /// Scripts to keep a copy of: rollback and checks, which a redeploy may replace.
    public var preserve: [String]
}

/// What the agent found.
public struct PreflightFacts: Hashable, Sendable {
    public var agent: AgentIdentity
    public var bootID: String
    public var hostTime: WallTime
    public var coordinatorTime: WallTime
    public var freeDiskMebibytes: Int64
    public var missingScripts: [String]
    public var missingPaths: [String]

    public init(
        agent: AgentIdentity, bootID: String, hostTime: WallTime, coordinatorTime: WallTime,
        freeDiskMebibytes: Int64, missingScripts: [String], missingPaths: [String]
    ) {
        self.agent = agent
        self.bootID = bootID
        self.hostTime = hostTime
        self.coordinatorTime = coordinatorTime
        self.freeDiskMebibytes = freeDiskMebibytes
        self.missingScripts = missingScripts
        self.missingPaths = missingPaths
    }
}

extension RolloutState {
    public func preflightNeeds(of host: HostName) -> PreflightNeeds {
        var needs = PreflightNeeds(commands: [], requires: [], preserve: [])
        guard let target = hosts[host] else { return needs }
        for placement in placements(of: host) {
            guard let layer = plan.layer(placement.layer) else { continue }
            let values = PlaceholderValues(host: target, layer: layer, run: definition.run)
            let rollback = values.expand(layer.rollback.command)
            let check = values.expand(plan.materialization)
            let commands = steps(of: layer, for: host).map { values.expand($0.command) } + [rollback, check]
            needs.commands += commands + (plan.guardrails + (plan.rollbackGuardrails ?? [])).map(values.expand)
            needs.requires += layer.rollback.requires.map(values.expand)
            needs.preserve += [rollback.scriptPath, check.scriptPath]
        }
        return needs
    }

    /// Turns what an agent found into a record; a host with problems may not take part.
    public func preflightRecord(of host: HostName, _ facts: PreflightFacts) -> PreflightRecord {
        var problems: [PreflightProblem] = []
        if !facts.missingScripts.isEmpty {
            let names = facts.missingScripts.joined(separator: ", ")
            problems.append(PreflightProblem(code: .scriptMissing, detail: "not found on the host: \(names)"))
        }
        if !facts.missingPaths.isEmpty {
            let names = facts.missingPaths.joined(separator: ", ")
            problems.append(
                PreflightProblem(code: .rollbackPrerequisiteMissing, detail: "a rollback would need \(names)"))
        }
        if facts.freeDiskMebibytes < Int64(plan.minimumFreeDiskMebibytes) {
            problems.append(
                PreflightProblem(
                    code: .diskFull,
                    detail: "\(facts.freeDiskMebibytes) MiB free, the plan asks for \(plan.minimumFreeDiskMebibytes)"))
        }
        return PreflightRecord(
            host: host, agent: facts.agent, bootID: facts.bootID,
            clockOffsetMilliseconds: facts.hostTime.milliseconds - facts.coordinatorTime.milliseconds,
            freeDiskMebibytes: facts.freeDiskMebibytes, problems: problems)
    }

    /// The command of an operation and the guardrails before it, placeholders replaced.
    public func script(of intent: OperationIntent) -> OperationScript? {
        guard let host = hosts[intent.placement.host], let layer = plan.layer(intent.placement.layer) else {
            return nil
        }
        let values = PlaceholderValues(host: host, layer: layer, run: definition.run)
        switch intent.action {
        case .rollback:
            let isForced = campaign?.breakGlass != nil
            let guardrails = isForced ? [] : (plan.rollbackGuardrails ?? plan.guardrails).map(values.expand)
            return OperationScript(
                command: values.expand(layer.rollback.command), guardrails: guardrails,
                usesPreserved: !hasFailedRollback(intent.placement))
        case .step(let name):
            return layer.steps.first { $0.name == name }.map {
                OperationScript(
                    command: values.expand($0.command), guardrails: plan.guardrails.map(values.expand),
                    usesPreserved: false)
            }
        }
    }

    /// A rollback that failed is repeated with the script in place: whoever repairs the host repairs it there.
    private func hasFailedRollback(_ placement: Placement) -> Bool {
        operations.values.contains { operation in
            guard operation.intent.placement == placement, operation.intent.action == .rollback,
                case .ended(let record) = operation.fate
            else { return false }
            return record.outcome != .exited(code: 0)
        }
    }
}

/// What an operation runs on its host.
public struct OperationScript: Hashable, Sendable {
    public var command: ScriptCommand
    public var guardrails: [ScriptCommand]
    /// Run the copy kept at preflight where the script in place has changed since.
    public var usesPreserved: Bool
}

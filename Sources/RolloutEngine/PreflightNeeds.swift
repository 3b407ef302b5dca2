import SafeText
package import UpgradeDomain

/// What a run needs in one working directory of a host before it starts.
package struct PreflightNeeds: Hashable, Sendable {
    package var workingDirectory: String
    /// Commands whose executable and script must exist, placeholders replaced.
    package var commands: [ScriptCommand]
    /// What a rollback needs.
    package var requires: [RollbackArtifact]
    /// What to keep for the rollback, because the change may replace it.
    package var keeps: [KeepOrder]
    /// The files of the release manifests, each path once for each content.
    package var release: [RollbackArtifact]

    private init(in workingDirectory: String) {
        self.workingDirectory = workingDirectory
        (commands, requires, keeps, release) = ([], [], [], [])
    }

    /// One for each working directory of the host, in the order of the layers; none for a jump host that has no directory.
    ///
    /// - Parameters:
    ///   - layers: the plan's layers that the host belongs to.
    ///   - steps: those of a layer that run on the host.
    package static func all(
        of host: Host, _ plan: Plan?, _ layers: [PlanLayer], run: RunID, steps: (PlanLayer) -> [Step] = { $0.steps }
    ) -> [PreflightNeeds] {
        var places: [String] = []
        for layer in layers where !places.contains(host.workingDirectory(in: layer.name)) {
            places.append(host.workingDirectory(in: layer.name))
        }
        guard let plan, !places.isEmpty else { return host.ownDirectories.map(PreflightNeeds.init(in:)) }
        return places.map { place in
            var needs = PreflightNeeds(in: place)
            needs.add(host, plan, layers.filter { host.workingDirectory(in: $0.name) == place }, run, steps)
            return needs
        }
    }

    private mutating func add(
        _ host: Host, _ plan: Plan, _ layers: [PlanLayer], _ run: RunID, _ steps: (PlanLayer) -> [Step]
    ) {
        for layer in layers {
            let own = PlacementCommands(of: plan, layer, on: host, run: run)
            commands += steps(layer).map(own.command) + [own.materialization]
            commands += own.guardrails + own.ownRollbackGuardrails
            requires += own.requires
            if let manifest = layer.release { add(manifest) }
            // A layer that never rolls back needs nothing for it.
            guard own.goesBack, let rollback = own.rollback else { continue }
            commands.append(rollback)
            keeps.append(KeepOrder(command: rollback, paths: own.keeps ?? []))
            keeps += own.rollbackGuardrails.map { KeepOrder(command: $0, scriptWillDo: true) }
        }
    }

    /// Layers that share a checkout may share files.
    private mutating func add(_ manifest: ReleaseManifest) {
        let known = Set(release)
        release += manifest.paths.map { RollbackArtifact(path: $0, sha256: manifest.files[$0]) }
            .filter { !known.contains($0) }
    }
}

/// The facts that the agent found.
package struct PreflightFacts: Hashable, Sendable {
    package var agent: AgentIdentity
    package var agentVersion: String
    package var bootID: String
    package var hostTime: WallTime
    package var coordinatorTime: WallTime
    package var freeDiskMebibytes: Int64
    package var missingScripts: [String]
    package var missingPaths: [String]
    /// What a rollback needs that does not match the plan, in words.
    package var differingPaths: [String]
    /// What is not as the release manifest says, in words.
    package var releaseDifferences: [String]
    /// What accounts other than root and the agent's can write, and who. It is reported but never a reason to hold.
    package var exposedPaths: [String]

    package init(
        agent: AgentIdentity, agentVersion: String = "", bootID: String, hostTime: WallTime, coordinatorTime: WallTime,
        freeDiskMebibytes: Int64, missingScripts: [String], missingPaths: [String],
        differingPaths: [String] = [], releaseDifferences: [String] = [], exposedPaths: [String] = []
    ) {
        self.agent = agent
        self.agentVersion = agentVersion
        self.bootID = bootID
        self.hostTime = hostTime
        self.coordinatorTime = coordinatorTime
        self.freeDiskMebibytes = freeDiskMebibytes
        self.missingScripts = missingScripts
        self.missingPaths = missingPaths
        self.differingPaths = differingPaths
        self.releaseDifferences = releaseDifferences
        self.exposedPaths = exposedPaths
    }

    /// How many differences from the release manifest a record names; it counts the others.
    private static let differencesNamed = 5

    /// The host's wall clock minus the coordinator's.
    package var clockOffsetMilliseconds: Int64 { hostTime.milliseconds(since: coordinatorTime) }

    /// Why the host may not take part; empty if it may.
    package func problems(minimumFreeDiskMebibytes: Int) -> [PreflightProblem] {
        var problems: [PreflightProblem] = []
        if !missingScripts.isEmpty {
            let names = missingScripts.joined(separator: ", ")
            // Agents of earlier builds gave no reason. Texts for their records must not change.
            let areReasoned = missingScripts.contains { $0.ends(with: ")") }
            let words = areReasoned ? "can not be run on the host" : "not found on the host"
            problems.append(PreflightProblem(code: .scriptMissing, detail: "\(words): \(names)"))
        }
        if !missingPaths.isEmpty {
            let names = missingPaths.joined(separator: ", ")
            problems.append(
                PreflightProblem(code: .rollbackPrerequisiteMissing, detail: "a rollback would need \(names)"))
        }
        if !differingPaths.isEmpty {
            let words = differingPaths.joined(separator: "; ")
            problems.append(
                PreflightProblem(
                    code: .rollbackPrerequisiteMissing, detail: "a rollback would not find what was approved: \(words)")
            )
        }
        if !releaseDifferences.isEmpty {
            let rest = releaseDifferences.count - PreflightFacts.differencesNamed
            let words = releaseDifferences.prefix(PreflightFacts.differencesNamed).joined(separator: "; ")
            problems.append(
                PreflightProblem(
                    code: .releaseMismatch,
                    detail: "not what the release manifest says: \(words)\(rest > 0 ? "; and \(rest) more" : "")"))
        }
        if freeDiskMebibytes < Int64(minimumFreeDiskMebibytes) {
            problems.append(
                PreflightProblem(
                    code: .diskFull,
                    detail: "\(freeDiskMebibytes) MiB free, the plan asks for \(minimumFreeDiskMebibytes)"))
        }
        return problems
    }
}

extension PreflightFacts {
    /// The same, with the working directory that it was found in, for a host that has several.
    package func placed(in directory: String) -> PreflightFacts {
        var placed = self
        placed.missingScripts = missingScripts.map { "\(directory): \($0)" }
        placed.missingPaths = missingPaths.map { "\(directory): \($0)" }
        placed.differingPaths = differingPaths.map { "\(directory): \($0)" }
        placed.releaseDifferences = releaseDifferences.map { "\(directory): \($0)" }
        return placed
    }

    /// What was found in another working directory of the same host as well, each thing once.
    package mutating func add(_ other: PreflightFacts) {
        func together(_ one: [String], _ two: [String]) -> [String] {
            let known = Set(one)
            return one + two.filter { !known.contains($0) }
        }
        freeDiskMebibytes = min(freeDiskMebibytes, other.freeDiskMebibytes)
        missingScripts = together(missingScripts, other.missingScripts)
        missingPaths = together(missingPaths, other.missingPaths)
        differingPaths = together(differingPaths, other.differingPaths)
        releaseDifferences = together(releaseDifferences, other.releaseDifferences)
        exposedPaths = together(exposedPaths, other.exposedPaths)
    }
}

extension Host {
    /// The working directories of the host and its placements, each once.
    fileprivate var ownDirectories: [String] {
        let all = [workingDirectory].filter { !$0.isEmpty } + placements.compactMap(\.workingDirectory)
        return all.enumerated().filter { index, place in !all[..<index].contains(place) }.map(\.element)
    }
}

extension RolloutState {
    /// One for each working directory of a host; empty if the host takes no part.
    package func preflightNeeds(of host: HostName) -> [PreflightNeeds] {
        guard let target = hosts[host] else { return [] }
        return PreflightNeeds.all(
            of: target, plan, placements(of: host).compactMap { plan.layer($0.layer) }, run: definition.run
        ) { steps(of: $0, for: host) }
    }

    /// Turns what an agent found into a record. A host with problems may not take part.
    package func preflightRecord(of host: HostName, _ facts: PreflightFacts) -> PreflightRecord {
        PreflightRecord(
            host: host, agent: facts.agent, agentVersion: facts.agentVersion, bootID: facts.bootID,
            clockOffsetMilliseconds: facts.clockOffsetMilliseconds,
            freeDiskMebibytes: facts.freeDiskMebibytes,
            problems: facts.problems(minimumFreeDiskMebibytes: plan.minimumFreeDiskMebibytes),
            exposedPaths: facts.exposedPaths.isEmpty ? nil : facts.exposedPaths)
    }

    /// The command of an operation and the guardrails before it, placeholders replaced.
    package func script(of intent: OperationIntent) -> OperationScript? {
        guard let host = hosts[intent.placement.host], let layer = plan.layer(intent.placement.layer) else {
            return nil
        }
        let own = PlacementCommands(of: plan, layer, on: host, run: definition.run)
        switch intent.action {
        case .rollback:
            var script = rollbackScript(own)
            if campaign?.breakGlass != nil { script?.guardrails = [] }
            return script
        case .step(let name):
            return layer.steps.first { $0.name == name }.map {
                OperationScript(
                    command: own.command(of: $0), guardrails: own.guardrails, usesPreserved: false)
            }
        }
    }

    /// What the host runs by itself if an operation is not confirmed; nil if it never rolls back by itself.
    package func revertScript(of intent: OperationIntent) -> OperationScript? {
        guard intent.revert != nil, let host = hosts[intent.placement.host],
            let layer = plan.layer(intent.placement.layer)
        else { return nil }
        return rollbackScript(PlacementCommands(of: plan, layer, on: host, run: definition.run))
    }

    private func rollbackScript(_ own: PlacementCommands) -> OperationScript? {
        own.rollback.map {
            OperationScript(command: $0, guardrails: own.rollbackGuardrails, usesPreserved: true)
        }
    }

    /// How long a step may keep its host unreachable; nil if a reboot counts as an interruption.
    func rebootWithinSeconds(of intent: OperationIntent) -> Int? {
        guard case .step(let name) = intent.action, let layer = plan.layer(intent.placement.layer) else { return nil }
        return layer.steps.first { $0.name == name }?.rebootWithinSeconds
    }

    /// How long a host may be unreachable now because a step that was begun declares a reboot; zero if none does.
    package func declaredAbsence(of host: HostName) -> Duration {
        let seconds = placements(of: host).flatMap { placement -> [Int] in
            guard phase(of: placement, has: .mayBeAway) else { return [] }
            return plan.layer(placement.layer)?.steps.compactMap(\.rebootWithinSeconds) ?? []
        }
        return .seconds(seconds.max() ?? 0)
    }
}

/// What an operation runs on its host.
package struct OperationScript: Hashable, Sendable {
    package var command: ScriptCommand
    package var guardrails: [ScriptCommand]
    /// Run the copy kept at preflight if the original script has changed since.
    package var usesPreserved: Bool
}

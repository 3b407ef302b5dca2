import FileReading
import SafeText
package import UpgradeDomain

/// The rules for a plan beyond its form, alone and with an inventory. Pure.
enum PlanRules {
    /// The rules for a stored plan.
    static func problems(of plan: Plan, over inventory: FleetInventory, at now: WallTime) -> [PlanProblem] {
        fleetProblems(of: plan, over: inventory) + problems(of: plan, at: now)
            + requestProblems(plan, inventory, isStored: true)
    }

    /// What of a plan file's plan is checked although other parts were refused.
    ///
    /// - Parameter hasFiles: whether every file of the plan could be read.
    static func problems(
        ofParts plan: Plan, over inventory: FleetInventory, at now: WallTime, hasFiles: Bool
    ) -> [PlanProblem] {
        unclosedProblems(plan) + placeholderProblems(plan, inventory, hasFiles: hasFiles)
            + requestProblems(plan, inventory, isStored: false) + duplicateProblems(plan) + waiverProblems(plan, now)
    }

    /// The other rules for a plan file, for one whose layers and evidence were taken as they are written.
    static func problems(ofWhole plan: Plan, over inventory: FleetInventory, hasFiles: Bool) -> [PlanProblem] {
        layerProblems(plan, inventory) + scopeProblems(plan, inventory) + passageProblems(plan, inventory)
            + batchProblems(plan, inventory) + expectationProblems(plan) + runtimeProblems(plan)
            + revertProblems(plan) + keepProblems(plan) + holdPointProblems(plan) + (hasFiles ? fileProblems(plan) : [])
    }

    /// Problems that depend on the hosts and layers of an inventory.
    static func fleetProblems(of plan: Plan, over inventory: FleetInventory) -> [PlanProblem] {
        layerProblems(plan, inventory) + placeholderProblems(plan, inventory) + scopeProblems(plan, inventory)
            + passageProblems(plan, inventory) + batchProblems(plan, inventory)
    }

    /// Problems that do not depend on an inventory.
    static func problems(of plan: Plan, at now: WallTime) -> [PlanProblem] {
        duplicateProblems(plan) + expectationProblems(plan) + runtimeProblems(plan) + revertProblems(plan)
            + keepProblems(plan) + fileProblems(plan) + holdPointProblems(plan) + waiverProblems(plan, now)
    }

    /// Nobody accepts a fault any more whose waiver has expired: the run would stop at it.
    private static func waiverProblems(_ plan: Plan, _ now: WallTime) -> [PlanProblem] {
        plan.waivers.enumerated().filter { $1.expiresAtMilliseconds <= now.milliseconds }.map { index, waiver in
            PlanProblem(
                place: .waiver(index),
                message:
                    "the waiver of \(waiver.surface) \(waiver.item) expired at \(WallTime(clamping: waiver.expiresAtMilliseconds).rfc3339)",
                remedy: "repair the fault, or have \(waiver.owner) accept it for longer")
        }
    }

    /// What a rollback runs must be known, so that it can be preserved before the change.
    private static func keepProblems(_ plan: Plan) -> [PlanProblem] {
        plan.layers.enumerated().flatMap { index, layer -> [PlanProblem] in
            let keeps = layer.rollback.keeps ?? []
            var problems = keeps.filter { RequestRule.keptPath.fault(in: $0) != nil }.map { path in
                PlanProblem(
                    place: .layer(index),
                    message: "layer \(layer.name) keeps '\(path)', which is not below the working directory",
                    remedy: "name files and folders relative to the host's working directory, without '..'")
            }
            let goesBack = layer.rollback.boundary != .oneWay
            if goesBack, layer.rollback.command == nil {
                problems.append(
                    PlanProblem(
                        place: .layer(index), message: "layer \(layer.name) does not say how it is rolled back",
                        remedy: "write its command in rollback as 'run: [bash, ./scripts/x.sh]', or 'boundary: oneWay'")
                )
            }
            if goesBack, layer.rollback.command?.isShellText == true, keeps.isEmpty {
                problems.append(
                    PlanProblem(
                        place: .layer(index),
                        message:
                            "what the rollback of layer \(layer.name) runs is not known, so it can not be preserved before the change",
                        remedy: "name its script with 'script: ./PATH', or what it needs with 'keeps: [PATH]'"))
            }
            return problems
        }
    }

    /// A host that must roll back automatically must be able to.
    private static func revertProblems(_ plan: Plan) -> [PlanProblem] {
        plan.layers.enumerated().flatMap { index, layer -> [PlanProblem] in
            guard layer.confirmWithinSeconds != nil else { return [] }
            let oneWay =
                layer.rollback.boundary == .oneWay
                ? [
                    PlanProblem(
                        place: .layer(index),
                        message: "layer \(layer.name) has confirmWithinSeconds, but its rollback is declared oneWay",
                        remedy: "remove confirmWithinSeconds: a one-way layer must not be rolled back automatically")
                ] : []
            let rebooting = layer.steps.filter { $0.rebootWithinSeconds != nil }.map { step in
                PlanProblem(
                    place: .layer(index),
                    message: "step \(step.name) reboots its host, which then can not wait for a confirmation",
                    remedy: "remove either rebootWithinSeconds or the layer's confirmWithinSeconds")
            }
            return oneWay + rebooting
        }
    }

    private static func expectationProblems(_ plan: Plan) -> [PlanProblem] {
        let known = Set(plan.allEvidence.map(\.name) + [plan.representativePath.name, "materialization"])
        return plan.layers.enumerated().flatMap { index, layer in
            // Where a command says a version, the change may replace that command.
            let known = known.union(layer.components.map(\.versionSurface))
            return layer.expects.filter { !known.contains($0.surface) }.map {
                PlanProblem(
                    place: .layer(index),
                    message: "layer \(layer.name) expects a change of an unknown surface '\($0.surface)'",
                    remedy: "use one of: \(known.sorted().map(\.rawValue).joined(separator: ", "))")
            }
        }
    }

    /// Every state that the fleet passes through: while a layer is mixed, the layers above it meet both of its
    /// versions, with their own old version and, in a rollback, with their new one.
    private static func passageProblems(_ plan: Plan, _ inventory: FleetInventory) -> [PlanProblem] {
        plan.layers.enumerated().flatMap { index, layer -> [PlanProblem] in
            let lower = plan.layers[..<index]
            let below = Set(inventory.layers.map(\.name).prefix { $0 != layer.name })
            let strangers = layer.worksWith.keys.filter { !below.contains($0) }.sorted().map {
                PlanProblem(
                    place: .layer(index),
                    message: "layer \(layer.name) works with '\($0)', which is not a layer below it",
                    remedy: below.isEmpty
                        ? "remove it: this is the lowest layer"
                        : "name lower layers: \(below.sorted().map(\.rawValue).joined(separator: ", "))")
            }
            let gaps = lower.flatMap { moving -> [PlanProblem] in
                guard let declared = layer.worksWith[moving.name] else { return [] }
                return [moving.version.from, moving.version.to].filter { !declared.contains($0) }.map { version in
                    PlanProblem(
                        place: .layer(index),
                        message:
                            "layer \(layer.name) meets \(moving.name) \(version) during the run, but is not declared to work "
                            + "with it", remedy: "add it to worksWith if it does; otherwise this order is not possible")
                }
            }
            let ranges = layer.components.flatMap { component -> [PlanProblem] in
                guard !component.allowed.isEmpty else { return [] }
                return [component.version.from, component.version.to].filter { !component.allowed.contains($0) }.map {
                    PlanProblem(
                        place: .layer(index),
                        message:
                            "component \(component.name) passes through \($0), which is not in its allowed versions",
                        remedy: "allow it, or choose another version")
                }
            }
            return strangers + gaps + ranges
        }
    }

    private static func layerProblems(_ plan: Plan, _ inventory: FleetInventory) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        let order = inventory.layers.map(\.name)
        let excluded = Set(plan.exclusions.map(\.host))
        var last = -1
        for (index, layer) in plan.layers.enumerated() {
            guard let position = order.firstIndex(of: layer.name) else {
                problems.append(
                    .init(
                        place: .layer(index), message: "the inventory has no layer '\(layer.name)'",
                        remedy: (nearest(to: layer.name.rawValue, among: order.map(\.rawValue)).map {
                            "did you mean '\($0)'? "
                        } ?? "") + "use one of: \(order.map(\.rawValue).joined(separator: ", "))"))
                continue
            }
            if position <= last {
                problems.append(
                    .init(
                        place: .layer(index), message: "layer \(layer.name) is out of order",
                        remedy: "keep the inventory's order: \(order.map(\.rawValue).joined(separator: ", "))"))
            }
            last = max(last, position)
            let hosts = inventory.hosts(in: layer.name).filter { !excluded.contains($0.name) }
            if hosts.isEmpty {
                problems.append(
                    .init(
                        place: .layer(index), message: "layer \(layer.name) has no hosts left",
                        remedy: "remove the layer or an exclusion"))
            }
            if !layer.steps.contains(where: { !$0.once }) {
                problems.append(
                    .init(
                        place: .layer(index),
                        message: "layer \(layer.name) has no step that runs on every host",
                        remedy: "add one: what changes a host from its old version to the new one"))
            }
        }
        if plan.layers.isEmpty {
            problems.append(
                .init(place: .root("layers"), message: "the plan has no layers", remedy: "list at least one"))
        }
        return problems
    }

    private static func duplicateProblems(_ plan: Plan) -> [PlanProblem] {
        var problems: [PlanProblem] = []
        func check(_ names: [String], _ what: String, _ place: Place) {
            var seen: Set<String> = []
            for name in names where !seen.insert(name).inserted {
                problems.append(
                    .init(place: place, message: "\(what) '\(name)' is listed twice", remedy: "give each its own name"))
            }
        }
        check(
            plan.evidence.map(\.name.rawValue) + [plan.representativePath.name.rawValue], "surface", .root("evidence"))
        check(plan.layers.map(\.name.rawValue), "layer", .root("layers"))
        for reserved in ["materialization"] where plan.allEvidence.contains(where: { $0.name.rawValue == reserved }) {
            problems.append(
                .init(
                    place: .root("evidence"), message: "surface name '\(reserved)' is reserved",
                    remedy: "choose another name"))
        }
        for (index, layer) in plan.layers.enumerated() {
            check(layer.steps.map(\.name.rawValue), "step", .layer(index))
            check(layer.components.map(\.name.rawValue), "component", .layer(index))
            check(
                (layer.evidence ?? []).map(\.name.rawValue) + [plan.representativePath.name.rawValue], "surface",
                .layer(index))
            for surface in layer.evidence ?? [] {
                let shared = plan.evidence.first { $0.name == surface.name && $0.scope != .host }
                if shared != nil {
                    problems.append(
                        .init(
                            place: .layer(index),
                            message:
                                "surface '\(surface.name)' of layer \(layer.name) has the name of one that is captured once",
                            remedy: "choose another name"))
                }
            }
        }
        return problems
    }

    /// One host captures for a layer, and one for the fleet; it must be part of the plan, or nothing would be captured.
    private static func scopeProblems(_ plan: Plan, _ inventory: FleetInventory) -> [PlanProblem] {
        var fleet: Set<HostName> = []
        var layers: [LayerName: Set<HostName>] = [:]
        var problems: [PlanProblem] = []
        let selected = plan.selectedHosts(of: inventory)
        for (index, surface) in plan.evidence.enumerated() {
            let vantage: HostName
            switch surface.scope {
            case .host: continue
            case .fleet(let host):
                fleet.insert(host)
                vantage = host
            case .layer(let host):
                for placement in inventory.hosts.first(where: { $0.name == host })?.placements ?? [] {
                    layers[placement.layer, default: []].insert(host)
                }
                vantage = host
            }
            if !selected.contains(where: { $0.name == vantage }) {
                problems.append(
                    PlanProblem(
                        place: .surface(index),
                        message:
                            "surface '\(surface.name)' is captured from \(vantage), which is not among the plan's hosts",
                        remedy: "name a host in a layer of the plan that is not excluded"))
            }
        }
        if fleet.count > 1 {
            problems.append(
                .init(place: .root("evidence"), message: "several hosts capture for the fleet", remedy: "use one host"))
        }
        for (layer, hosts) in layers.sorted(by: { $0.key < $1.key }) where hosts.count > 1 {
            problems.append(
                .init(
                    place: .root("evidence"), message: "several hosts capture for layer \(layer)",
                    remedy: "use one host")
            )
        }
        return problems
    }
}

extension Plan {
    /// Why a stored plan can not be approved or started with an inventory. The rules for plan files are checked again,
    /// because an older build may have stored it, or the inventory may have changed since.
    package func startProblems(over inventory: FleetInventory, at now: WallTime) -> [String] {
        nameProblems(over: selectedHosts(of: inventory))
            + PlanRules.problems(of: self, over: inventory, at: now).map { "\($0.words); \($0.remedy)" }
    }

    /// The problems of a run's plan with its frozen hosts under this build's rules, because an older build may have
    /// started it. The rules for the plan's form are left out: the plan can not be changed any more, and they do not
    /// affect verdicts.
    package func resumeProblems(over definition: RunDefinition) -> [String] {
        let moving = layers.map(\.name)
        // Layers that are not in the plan: a run stores their names without order, so each counts as a lower one.
        let others = Set(definition.owners.keys).union(layers.flatMap(\.worksWith.keys)).subtracting(moving).sorted()
        let frozen = FleetInventory(
            layers: (others + moving).map { InventoryLayer(name: $0, owners: definition.owners[$0] ?? []) },
            hosts: definition.hosts)
        return PlanRules.fleetProblems(of: self, over: frozen).map(\.words)
    }

    /// Whether another inventory could make it startable.
    package func isStartableOverAnother(at now: WallTime) -> Bool {
        nameProblems(over: []).isEmpty && PlanRules.problems(of: self, at: now).isEmpty
    }
}

/// The rules for the texts that hosts get: placeholders have values, and agents accept what comes of them.
extension PlanRules {
    /// A `${` that is not closed would be sent as it is, and be found when the command fails: perhaps the rollback.
    static func unclosedProblems(_ plan: Plan) -> [PlanProblem] {
        var found = TextProblems()
        for (index, texts) in [(nil, plan.sharedTexts)] + plan.layers.enumerated().map({ ($0, $1.ownTexts) }) {
            for text in texts where Placeholder.isUnclosed(text) {
                let problem = PlanProblem(
                    place: .text(TextPlace(text: text, layer: index)), message: "'\(text)' has a '${' without a '}'",
                    remedy: "close it, or write '$${' for a literal '${'")
                found.add(problem, on: nil)
            }
        }
        return found.problems
    }

    /// Every placeholder must have a value on every host it will be used for.
    ///
    /// - Parameter hasFiles: whether every file of the plan could be read.
    static func placeholderProblems(_ plan: Plan, _ inventory: FleetInventory, hasFiles: Bool = true) -> [PlanProblem] {
        var found = TextProblems()
        let shared = plan.sharedTexts(of: nil)
        for (index, layer) in plan.layers.enumerated() {
            let texts =
                (shared + plan.sharedTexts(of: layer)).map { ($0, Int?.none) } + layer.ownTexts.map { ($0, index) }
            for host in plan.hosts(in: layer, of: inventory) {
                let values = PlaceholderValues(host: host, layer: layer, of: plan, run: "r")
                for (text, index) in texts {
                    for name in values.unknownNames(in: text) where hasFiles || !name.begins(with: "file.") {
                        let problem = PlanProblem(
                            place: .text(TextPlace(text: text, layer: index)),
                            message: "'${\(name)}' has no value", remedy: "")
                        found.add(problem, on: host.name) { remedy(for: name, values) }
                    }
                }
            }
        }
        return found.problems
    }

    private static func remedy(for name: String, _ values: PlaceholderValues) -> String {
        let near = name.utf8.count < 3 ? nil : nearest(to: name, among: values.names)
        return (near.map { "did you mean '${\($0)}'? " } ?? "")
            + "write '$${\(name)}' for a literal one, or use host, address, layer, run, from, to, baseURL, authority, workingDirectory, file.NAME with one of the plan's files, or var.NAME with a variable of the host"
    }

    /// What agents accept, after expansion for each host.
    ///
    /// - Parameter isStored: whether only what agents refuse counts, and not what they answer as unknown.
    static func requestProblems(_ plan: Plan, _ inventory: FleetInventory, isStored: Bool) -> [PlanProblem] {
        var found = TextProblems()
        var first: [TextPlace: PlanProblem] = [:]
        func check(_ part: RequestPart, _ layer: Int?, _ values: PlaceholderValues?, _ host: HostName?) {
            guard part.isEnforced || !isStored, (values == nil) == !part.isOpen else { return }
            let text = part.isOpen ? values?.expand(part.text) ?? "" : part.text
            guard !part.isOpen || values?.unknownNames(in: part.text).isEmpty == true,
                let fault = part.rule.fault(in: text)
            else { return }
            // One fault of a text is enough, and its first expansion shows it.
            let place = TextPlace(text: part.text, key: part.key, layer: layer)
            let problem =
                first[place] ?? PlanProblem(place: .text(place), message: fault.words, remedy: fault.remedy)
            first[place] = problem
            found.add(problem, on: host)
        }
        for part in plan.sharedParts { check(part, nil, nil, nil) }
        for (index, layer) in plan.layers.enumerated() {
            let own = layer.ownParts
            for part in own { check(part, index, nil, nil) }
            let shared = plan.sharedParts(of: layer).filter(\.isOpen)
            let open = own.filter(\.isOpen)
            for host in plan.hosts(in: layer, of: inventory) {
                let values = PlaceholderValues(host: host, layer: layer, of: plan, run: "r")
                for part in shared + plan.onceParts(on: host) { check(part, nil, values, host.name) }
                for part in open { check(part, index, values, host.name) }
            }
        }
        return found.problems + countProblems(plan, inventory)
    }

    /// An agent takes a limited number of entries in each list of a request.
    private static func countProblems(_ plan: Plan, _ inventory: FleetInventory) -> [PlanProblem] {
        let limit = RequestRule.listEntries
        func problem(_ count: Int, _ what: String, _ place: Place) -> [PlanProblem] {
            guard count > limit else { return [] }
            return [
                PlanProblem(
                    place: place, message: "\(count) \(what), and an agent takes \(limit)", remedy: "write fewer")
            ]
        }
        let checks = [("guardrails", plan.guardrails), ("rollbackGuardrails", plan.rollbackGuardrails ?? [])]
        let shared = checks.flatMap { problem($0.1.count, $0.0, .root($0.0)) }
        return shared
            + plan.layers.enumerated().flatMap { index, layer -> [PlanProblem] in
                let sources =
                    layer.components.flatMap { [$0.observe] + ($0.runtime.map { [.runtime($0.source)] } ?? []) }
                    + (plan.family(of: layer) + [plan.representativePath]).map(\.source)
                let commands =
                    layer.steps.map(\.command) + [layer.rollback.command].compactMap(\.self) + plan.guardrails
                let counts = sources.map(\.listCounts) + commands.map(\.listCounts)
                return counts.flatMap { $0.flatMap { problem($1, "entries of \($0)", .layer(index)) } }
                    + problem(sources.count + 1, "surfaces of layer \(layer.name)", .layer(index))
                    + problem((layer.rollback.keeps ?? []).count + 1, "kept paths", .layer(index))
                    + problem(layer.rollback.requires.count + commands.count + 1, "required paths", .layer(index))
            }
    }
}

extension RequestPart {
    /// Whether it is only known for a host.
    fileprivate var isOpen: Bool { isExpanded && text.holds(anyOf: "$") }
}

extension Plan {
    fileprivate func hosts(in layer: PlanLayer, of inventory: FleetInventory) -> [Host] {
        let excluded = Set(exclusions.map(\.host))
        return inventory.hosts(in: layer.name).filter { !excluded.contains($0.name) }
    }

    private var checks: [ScriptCommand] { guardrails + (rollbackGuardrails ?? []) }

    /// Every text of the plan as a whole that may have placeholders.
    fileprivate var sharedTexts: [String] {
        sharedTexts(of: nil) + evidence.filter { $0.scope == .host }.flatMap(\.source.texts)
    }

    /// Those that the hosts of a layer get; nil for what all hosts get.
    fileprivate func sharedTexts(of layer: PlanLayer?) -> [String] {
        guard let layer else {
            return checks.flatMap(\.texts) + materialization.texts + representativePath.source.texts
                + evidence.filter { $0.scope != .host }.flatMap(\.source.texts)
        }
        return evidence(notReplacedBy: layer).flatMap(\.source.texts)
    }

    private func evidence(notReplacedBy layer: PlanLayer) -> [Surface] {
        let own = Set((layer.evidence ?? []).map(\.name))
        return evidence.filter { $0.scope == .host && !own.contains($0.name) }
    }

    private var commonParts: [RequestPart] {
        checks.flatMap(\.requestParts) + SurfaceSource.command(materialization).requestParts
            + representativePath.source.requestParts
    }

    /// Those of the plan as a whole.
    fileprivate var sharedParts: [RequestPart] { commonParts + evidence.flatMap(\.source.requestParts) }

    fileprivate func sharedParts(of layer: PlanLayer) -> [RequestPart] {
        commonParts + evidence(notReplacedBy: layer).flatMap(\.source.requestParts)
    }

    /// Those of what one host captures for many.
    fileprivate func onceParts(on host: Host) -> [RequestPart] {
        evidence.filter { $0.scope == .layer(vantage: host.name) || $0.scope == .fleet(vantage: host.name) }
            .flatMap(\.source.requestParts).filter(\.isOpen)
    }
}

extension PlanLayer {
    private var commands: [ScriptCommand] { steps.map(\.command) + [rollback.command].compactMap(\.self) }

    private var sources: [SurfaceSource] {
        (evidence ?? []).map(\.source)
            + components.flatMap { [$0.observe] + ($0.runtime.map { [.runtime($0.source)] } ?? []) }
    }

    /// Every text of its own that may have placeholders.
    fileprivate var ownTexts: [String] {
        sources.flatMap(\.texts) + commands.flatMap(\.texts) + rollback.requires.map(\.path) + (rollback.keeps ?? [])
    }

    fileprivate var ownParts: [RequestPart] {
        sources.flatMap(\.requestParts) + commands.flatMap(\.requestParts)
            + (rollback.keeps ?? []).map { RequestPart(key: "keeps", text: $0, rule: .keptPath) }
    }
}

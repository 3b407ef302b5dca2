import FileReading
import SafeText
package import UpgradeDomain

/// The rules for a plan beyond its form, alone and with an inventory. Pure.
enum PlanRules {
    /// Where a problem is reported.
    enum Place: Hashable {
        case root(String)
        case layer(Int)
        case surface(Int)
        case waiver(Int)
        case text(TextPlace)
    }

    struct PlanProblem: Hashable {
        var place: Place
        var message: String
        var remedy: String
        /// Where it is met; empty if that does not depend on hosts.
        var hosts: [HostName] = []

        /// The message with its hosts.
        var words: String {
            guard let first = hosts.first else { return message }
            return "\(message) on host \(first)" + (hosts.count > 1 ? " and \(hosts.count - 1) more" : "")
        }
    }

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

import FileReading
import SafeText
import UpgradeDomain

/// The rules for the texts that hosts get: placeholders have values, and agents accept what comes of them.
extension PlanRules {
    /// A text of a plan, by which its lines are found in the file.
    struct TextPlace: Hashable {
        var text: String
        /// A key that leads to it; nil for any.
        var key: String?
        /// The layer that has it of its own or from the defaults; nil for the plan.
        var layer: Int?
    }

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

/// Problems of texts, each with the hosts where it is met.
private struct TextProblems {
    private(set) var problems: [PlanRules.PlanProblem] = []
    private var positions: [PlanRules.PlanProblem: Int] = [:]
    private var seen: [Set<HostName>] = []

    /// - Parameters:
    ///   - host: nil where it is the same on all.
    ///   - remedy: asked for once; nil for the problem's own.
    mutating func add(
        _ problem: PlanRules.PlanProblem, on host: HostName?, _ remedy: (() -> String)? = nil
    ) {
        let position = positions[problem] ?? problems.count
        if position == problems.count {
            positions[problem] = position
            problems.append(problem)
            seen.append([])
            if let remedy { problems[position].remedy = remedy() }
        }
        if let host, seen[position].insert(host).inserted { problems[position].hosts.append(host) }
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

import ContentDigest
import Ledger
import UpgradeDomain

/// A small fleet and a plan for it, drawn from a seed.
struct SimulatedFleet {
    var inventory: FleetInventory
    var plan: Plan
    var approvals: SimulatedApprovals
    /// For what is drawn when the run starts.
    private var later: SeededGenerator

    static func draw(_ generator: inout SeededGenerator) -> SimulatedFleet {
        let layers: [LayerName] = Array(["data", "core", "edge"].prefix(generator.pick(from: [1, 1, 2, 3])))
        let count = generator.pick(from: [2, 2, 3, 4])
        var hosts = (1...count).map { number in
            let own = layers.filter { _ in generator.chance(60) }
            return host(HostName("h\(number)"), own.isEmpty ? [generator.pick(from: layers)] : own)
        }
        // Each layer has a host, and one host takes no part.
        for layer in layers where !hosts.contains(where: { $0.placements.contains { $0.layer == layer } }) {
            hosts[0].placements.append(HostPlacement(layer: layer, baseURL: "x/\(layer)"))
        }
        hosts.append(host("outside", [layers[0]]))
        let inventory = FleetInventory(
            layers: layers.map { InventoryLayer(name: $0, owners: [owner(of: $0)]) }, hosts: hosts)
        let services = Surface(
            name: "services", source: .http(HTTPSource(url: "${baseURL}/services", timeoutSeconds: 5)),
            reader: Reader(shape: .statusMap))
        let path = Surface(
            name: "smoke", source: .http(HTTPSource(url: "${baseURL}/smoke", timeoutSeconds: 5)),
            reader: Reader(shape: .result), everySeconds: generator.pick(from: [nil, nil, 6, 30]))
        var plan = Plan(
            name: "simulated", version: VersionChange(from: "1", to: "2"), changeClass: .minor,
            reviews: [Review(title: "notes", reference: "url")], evidence: [services],
            materialization: command("check"),
            guardrails: generator.chance(50) ? [command("guard")] : [], representativePath: path,
            layers: layers.map { layer($0, &generator) },
            exclusions: [Exclusion(host: "outside", reason: "it is here to be left alone")])
        // From a copy, so that everything else of a seed is drawn as without it.
        var later = generator
        later = SeededGenerator(seed: later.next() ^ 0xa99)
        let members = Dictionary(
            uniqueKeysWithValues: layers.map { layer in
                (
                    layer,
                    hosts.dropLast().filter { $0.placements.contains { $0.layer == layer } }.map(\.name)
                )
            })
        let owners = Dictionary(uniqueKeysWithValues: layers.map { ($0, [owner(of: $0)]) })
        let approvals = SimulatedApprovals.draw(&later, plan, members, owners: owners)
        plan.holdPoints = approvals.holdPoints.isEmpty ? nil : approvals.holdPoints
        return SimulatedFleet(inventory: inventory, plan: plan, approvals: approvals, later: later)
    }

    /// The last time that canonical JSON (RFC 8785) carries exactly.
    private static let farAhead = WallTime(clamping: 9_007_199_254_740_991)

    private static func owner(of layer: LayerName) -> Owner { Owner("owner-\(layer)") }

    private static func host(_ name: HostName, _ layers: [LayerName]) -> Host {
        Host(
            name: name, address: name.rawValue, user: "u", workingDirectory: "/srv",
            placements: layers.map { HostPlacement(layer: $0, baseURL: "x/\($0)") })
    }

    private static func command(_ word: String) -> ScriptCommand {
        ScriptCommand(arguments: ["sh", "./\(word).sh"], timeoutSeconds: 30)
    }

    private static func layer(_ name: LayerName, _ generator: inout SeededGenerator) -> PlanLayer {
        let version = VersionChange(from: "1", to: "2")
        let observe = SurfaceSource.http(HTTPSource(url: "${baseURL}/version", timeoutSeconds: 5))
        var steps = [Step(name: World.changingStep, command: command("redeploy"), idempotent: generator.chance(50))]
        if generator.chance(30) { steps.insert(Step(name: "stage", command: command("stage")), at: 0) }
        var layer = PlanLayer(
            name: name, version: version,
            components: [Component(name: "app", version: version, observe: observe, pointer: "/version")], steps: steps,
            rollback: RollbackPosture(command: command("rollback"), boundary: .untilFinalize),
            batches: generator.pick(from: [
                [.percent(100)], [.count(1), .percent(100)], [.count(1), .percent(50), .percent(100)],
            ]),
            maxInFlight: generator.pick(1...2), soakSeconds: generator.pick(from: [0, 5, 10]),
            sampleSeconds: generator.pick(from: [5, 10]),
            healthyWithinSeconds: 20, progressDeadlineSeconds: 300, failedWhen: ["it does not answer"])
        if generator.chance(40) { layer.confirmWithinSeconds = 30 }
        return layer
    }

    /// Stores everything in a ledger and starts the run.
    /// - Returns: the definition of the run, its first event, and what people have truly permitted by it.
    func start(in ledger: isolated Ledger) throws -> (RunDefinition, [RecordedEvent], [Grant]) {
        let now = WallTime(clamping: World.epochMilliseconds)
        let planDigest = try ledger.addPlan(plan, at: now)
        let excluded = Set(plan.exclusions.map(\.host))
        let selected = inventory.hosts.filter { !excluded.contains($0.name) }
        let hostsDigest = Digest.sha256(of: try CanonicalJSON.encode(selected))
        var definition = RunDefinition(
            run: World.run, ledger: ledger.id, plan: plan, planDigest: planDigest, hosts: selected,
            hostsDigest: hostsDigest,
            approvals: approvals.isSigned
                ? []
                : plan.layers.map {
                    Approval(
                        owner: SimulatedFleet.owner(of: $0.name), planDigest: planDigest, hostsDigest: hostsDigest,
                        claimedBy: "op", approvedAt: now, rollbackUntil: SimulatedFleet.farAhead)
                },
            owners: Dictionary(uniqueKeysWithValues: plan.layers.map { ($0.name, [SimulatedFleet.owner(of: $0.name)]) })
        )
        var grants: [Grant] = []
        if approvals.isSigned {
            let policy = try approvals.policy(of: ledger.id, at: now)
            try ledger.addPolicy(policy, version: 1, by: "op", at: now)
            var later = later
            let given = try approvals.given(in: definition, at: now, &later)
            grants = given.flatMap(\.grants)
            definition.authority = RunAuthority(
                trusted: Digest.sha256(of: Array(policy.text.utf8)), policies: [policy],
                statements: given.map(\.signed), author: "op", starter: "op")
        }
        return (definition, try ledger.startRun(definition, by: "op", at: now), grants)
    }
}

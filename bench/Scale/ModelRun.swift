import RolloutEngine
import UpgradeDomain

/// A run over hosts that never fail: every effect of the engine is answered, a limited number at a time.
struct ModelRun {
    private(set) var state: RolloutState
    private(set) var decisions = 0
    /// Time spent only in the engine's two functions.
    private(set) var folding = Duration.zero
    private(set) var deciding = Duration.zero
    private(set) var wall = ModelRun.start
    private var now = MonotonicTime.zero
    private var upgraded: Set<Placement> = []

    static let start = WallTime(clamping: 1_000_000)

    init(_ definition: RunDefinition, startedWith hash: Digest) {
        state = RolloutState(definition: definition, startedAt: ModelRun.start, hash: hash, at: .zero)
    }

    /// The next events; nil when the run is at rest.
    mutating func next(atMost limit: Int) -> [RunEvent]? {
        while !state.isAtRest {
            let clock = ContinuousClock.now
            let decision = state.next(at: now, wall)
            deciding += ContinuousClock.now - clock
            decisions += 1
            if !decision.effects.isEmpty { return decision.effects.prefix(limit).flatMap { answer($0) } }
            guard let wakeAt = decision.wakeAt else { return nil }
            now = max(now, wakeAt)
        }
        return nil
    }

    mutating func take(_ recorded: [RecordedEvent]) {
        wall = wall.advanced(byMilliseconds: 1)
        now = now + .milliseconds(1)
        let clock = ContinuousClock.now
        for event in recorded { state.apply(event, at: now) }
        folding += ContinuousClock.now - clock
    }

    private mutating func answer(_ effect: Effect) -> [RunEvent] {
        switch effect {
        case .record(let event): return [event]
        case .preflight(let host):
            let facts = PreflightFacts(
                agent: AgentIdentity("agent-\(host)"), bootID: "boot", hostTime: wall, coordinatorTime: wall,
                freeDiskMebibytes: 1_000, missingScripts: [], missingPaths: [])
            return [.preflightRecorded(state.preflightRecord(of: host, facts))]
        case .capture(let order):
            let capture = Capture(
                subject: order.subject, takenAt: wall, surfaces: state.surfaces(for: order).map { read($0, order) })
            return [
                .captured(CaptureRecord(purpose: order.purpose, capture: capture, orderedAfter: state.sequence))
            ]
        case .start(let intent):
            upgraded.insert(intent.placement)
            return [
                .operationStarted(id: intent.id),
                .operationEnded(OperationRecord(id: intent.id, outcome: .exited(code: 0), startedAt: wall)),
            ]
        case .settle(let intent): return [.operationTombstoned(id: intent.id)]
        case .confirm(let intent): return [.operationConfirmed(id: intent.id)]
        }
    }

    private func read(_ order: SurfaceOrder, _ capture: CaptureOrder) -> SurfaceReading {
        var reading = SurfaceReading(name: order.surface.name, role: order.role, durationMilliseconds: 1)
        reading.items =
            switch order.role {
            case .version: [item(order.surface.reader.key[0], version(of: capture.subject))]
            case .family: Model.services.map { item($0, "up") }
            case .materialization, .runtime: [item("result", "0")]
            case .path: [item("result", "200")]
            }
        if order.role == .materialization { reading.instrumentDigest = "sha256:aa" }
        return reading
    }

    private func version(of subject: EvidenceSubject) -> String {
        if case .placement(let placement) = subject, upgraded.contains(placement) { "2" } else { "1" }
    }

    private func item(_ key: String, _ value: String) -> EvidenceItem {
        EvidenceItem(key: key, value: value, health: .healthy)
    }
}

/// The plan and the fleet of the run.
enum Model {
    static let hostsInFlight = 25
    static let sampleSeconds = 5
    static let services = ["api", "queue", "store", "worker"]
    private static let command = ScriptCommand(arguments: ["bash", "./x.sh"], timeoutSeconds: 10)
    private static let layers: [LayerName] = ["core", "edge"]

    /// Every tenth host is in the layer `core`, the others are in `edge`.
    static func definition(hosts count: Int, soakSeconds: Int = 0) -> RunDefinition {
        let change = VersionChange(from: "1", to: "2")
        let plan = Plan(
            name: "model", version: change, changeClass: .minor, reviews: [Review(title: "notes", reference: "url")],
            evidence: [Surface(name: "services", source: url("/services"), reader: Reader(shape: .statusMap))],
            materialization: command, guardrails: [command],
            representativePath: Surface(name: "smoke", source: url("/smoke"), reader: Reader(shape: .result)),
            layers: layers.map { layer($0, change, soakSeconds) })
        let hosts = (0..<count).map { index in
            Host(
                name: HostName("host-\(index)"), address: "host-\(index)", user: "u", workingDirectory: "/srv",
                placements: [HostPlacement(layer: layers[index % 10 == 0 ? 0 : 1], baseURL: "http://127.0.0.1:1")])
        }
        return RunDefinition(
            run: "r-1", ledger: "l", plan: plan, planDigest: "sha256:p", hosts: hosts, hostsDigest: "sha256:h",
            approvals: [], owners: [:])
    }

    private static func layer(_ name: LayerName, _ change: VersionChange, _ soakSeconds: Int) -> PlanLayer {
        PlanLayer(
            name: name, version: change,
            components: [Component(name: "app", version: change, observe: url("/version"), pointer: "/version")],
            steps: [Step(name: "redeploy", command: command)],
            rollback: RollbackPosture(command: command, boundary: .untilFinalize),
            batches: [.count(1), .percent(25), .percent(100)], maxInFlight: hostsInFlight, soakSeconds: soakSeconds,
            sampleSeconds: sampleSeconds, healthyWithinSeconds: 30, progressDeadlineSeconds: 600,
            failedWhen: ["it does not answer"])
    }

    private static func url(_ path: String) -> SurfaceSource {
        .http(HTTPSource(url: "${baseURL}\(path)", timeoutSeconds: 5))
    }
}

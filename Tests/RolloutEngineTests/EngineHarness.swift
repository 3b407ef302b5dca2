import UpgradeDomain

@testable import RolloutEngine

/// A run over a model fleet: asks the engine for the next effects, applies them to the model, appends the results.
///
/// The true state (what each placement runs, how often each operation started) is kept here, outside of the engine.
struct EngineHarness {
    /// How a script that is started on a placement behaves.
    enum Script {
        case passes
        case ends(OperationOutcome)
        case neverArrives, losesItsEnd
    }

    /// One placement of the model.
    struct Machine {
        var version: Version = "1"
        var statuses = ["api": "up", "store": "up"]
        var materialization = 0
        var path = 200
        /// The manifest that is found; nil for the one of its version.
        var manifest: String?
        /// Replaced values for links of its runtime proof; nil for a link that is missing from the answer.
        var links: [RuntimeLink: EvidenceItem?] = [:]
        var begunAt = WallTime(clamping: 1)
        /// Whether the script changes the disk but does not restart the process.
        var keepsProcess = false
        var instrument: Digest = "sha256:aa"
        var isReachable = true
        var agent: AgentIdentity?
        var unknown: UnknownReason?
        /// The role whose surfaces answer without any item.
        var emptyRole: SurfaceRole?
        /// Whether its captures contain no surface at all.
        var isMute = false
        var script = Script.passes
        var rollback = Script.passes
        /// The end of the output of its scripts.
        var prints = ""
        /// The outcome of its rollback if it is not reached in time and reverts by itself; nil if it is reached.
        var goesBack: OperationOutcome?
        /// Applied when its version becomes the target.
        var afterUpgrade: (@Sendable (inout Machine) -> Void)?

        mutating func says(_ link: RuntimeLink, _ value: String, _ health: Health) {
            links[link] = EvidenceItem(key: link.description, value: value, health: health)
        }
    }

    static let stepLimit = 2_000

    let definition: RunDefinition
    private(set) var state: RolloutState
    private(set) var log: [RecordedEvent] = []
    var machines: [Placement: Machine]
    /// How often the script of each operation started.
    private(set) var starts: [OperationID: Int] = [:]
    /// The operations that agents have a record of, and their start times.
    private var journal: [OperationID: WallTime] = [:]
    /// Placements in the order in which their scripts started.
    private(set) var order: [Placement] = []
    private(set) var widest = 0
    /// Operations that were sent or asked about and will be reported on.
    var followed: Set<OperationID> = []
    /// What the layers and the fleet report.
    var fleet = Machine()
    var now = MonotonicTime.zero
    private(set) var wall = WallTime(clamping: 1_000_000)
    private var epoch: Epoch = 0

    /// Placements that an event changed without the table naming them as changed.
    private(set) var unnamed: Set<Placement> = []
    /// The transitions of the placement diagram that occurred, as names of phases.
    private(set) var arrows: Set<[String]> = []

    init(_ definition: RunDefinition) {
        self.definition = definition
        let first = RecordedEvent(sequence: 1, recordedAt: wall, event: .runStarted(definition), hash: "sha256:1")
        log = [first]
        state = RolloutState(definition: definition, startedAt: wall, hash: "sha256:1", at: now)
        machines = Dictionary(uniqueKeysWithValues: state.orderedPlacements.map { ($0, Machine()) })
    }

    // MARK: The log

    /// The id that an intent is recorded under; a changed id represents a build with another id format.
    var recordedID: (OperationIntent) -> OperationID = { $0.id }

    mutating func append(_ event: RunEvent) {
        var event = event
        stopFollowing(event)
        if case .operationIntended(var intent) = event {
            intent.id = recordedID(intent)
            event = .operationIntended(intent)
        }
        wall = wall.advanced(byMilliseconds: 1)
        now = now + .milliseconds(1)
        event = state.judged([event], at: wall)[0]
        let sequence = UInt64(log.count + 1)
        let recorded = RecordedEvent(
            sequence: sequence, recordedAt: wall, event: event, hash: Digest("sha256:\(sequence)"))
        log.append(recorded)
        let before = state.placements.all
        state.apply(recorded, at: now)
        arrows.formUnion(state.arrows(since: before))
        let named = Set(state.placements.changed)
        unnamed.formUnion(
            state.placements.all.filter { !named.contains($0.key) && $0.value != before[$0.key] }.keys)
    }

    /// Lets time pass on both clocks.
    mutating func pass(seconds: Int) {
        wall = wall.advanced(bySeconds: seconds)
        now = now + .seconds(seconds)
    }

    /// The effects that are due now.
    var next: Decision { state.next(at: now, wall, following: followed) }

    /// A process that reported an outcome or a lost one no longer follows the operation, and neither does any other.
    private mutating func stopFollowing(_ event: RunEvent) {
        switch event {
        case .operationEnded(let record): followed.remove(record.id)
        case .operationUncertain(let id, _): followed.remove(id)
        case .driverAttached: followed = []
        default: break
        }
    }

    mutating func attach() {
        epoch = epoch.raised(by: 1) ?? epoch
        append(.driverAttached(Driver(epoch: epoch, user: "op", machine: "desk", processID: 1)))
    }

    mutating func request(_ action: RequestedAction) {
        append(.requested(Request(action: action, by: "op", reason: "model")))
    }

    /// The coordinator dies after `count` events and loses its memory, and another one takes over.
    mutating func crash(keeping count: Int) {
        log = Array(log.prefix(count))
        state = RolloutState.fold(log, at: now) ?? state
        attach()
    }

    /// The subjects that were captured for a purpose, in order.
    func captures(_ purpose: CapturePurpose) -> [EvidenceSubject] {
        log.compactMap {
            guard case .captured(let record) = $0.event, record.purpose == purpose else { return nil }
            return record.capture.subject
        }
    }

    // MARK: Driving

    /// Drives until the run is at rest or `isEnough` returns true.
    mutating func run(until isEnough: (EngineHarness) -> Bool = { _ in false }) {
        if state.driver == nil || state.isDetached { attach() }
        for _ in 0..<EngineHarness.stepLimit {
            if isEnough(self) || state.isAtRest { return }
            let decision = next
            let running = Set(state.openOperations.compactMap { state.operations[$0]?.intent.placement })
            widest = max(widest, running.count)
            if let effect = decision.effects.first {
                carryOut(effect)
            } else if let wakeAt = decision.wakeAt {
                now = max(wakeAt, now + .milliseconds(1))
            } else {
                return
            }
        }
    }

    mutating func carryOut(_ effect: Effect) {
        for event in perform(effect) { append(event) }
    }

    /// Applies an effect to the model; its results may be reported at once or later.
    mutating func perform(_ effect: Effect) -> [RunEvent] {
        switch effect {
        case .record(let event): [event]
        case .preflight(let host): [preflight(host)]
        case .capture(let order): [capture(order)]
        case .start(let intent): start(intent)
        case .settle(let intent): settle(intent)
        case .confirm(let intent): confirm(intent)
        }
    }

    private func lost(_ host: HostName) -> RunEvent {
        .hostLost(HostLoss(host: host, code: .hostUnreachable, detail: "no route"))
    }

    private func isReachable(_ host: HostName) -> Bool {
        machines.allSatisfy { $0.key.host != host || $0.value.isReachable }
    }

    private func preflight(_ host: HostName) -> RunEvent {
        guard isReachable(host) else { return lost(host) }
        let agent = machines.first { $0.key.host == host }?.value.agent ?? AgentIdentity("agent-\(host)")
        let facts = PreflightFacts(
            agent: agent, bootID: "boot", hostTime: wall, coordinatorTime: wall, freeDiskMebibytes: 1_000,
            missingScripts: [], missingPaths: [])
        return .preflightRecorded(state.preflightRecord(of: host, facts))
    }

    private func capture(_ order: CaptureOrder) -> RunEvent {
        guard isReachable(order.host) else { return lost(order.host) }
        let isMute = machines.contains { EvidenceSubject.placement($0.key) == order.subject && $0.value.isMute }
        let readings = isMute ? [] : state.surfaces(for: order).map { surface in read(surface, order) }
        return .captured(
            CaptureRecord(
                purpose: order.purpose,
                capture: Capture(
                    subject: order.subject, takenAt: wall, surfaces: readings,
                    omits: order.omits.isEmpty ? nil : order.omits),
                orderedAfter: state.sequence))
    }

    private func read(_ order: SurfaceOrder, _ capture: CaptureOrder) -> SurfaceReading {
        var machine = fleet
        if case .placement(let placement) = capture.subject { machine = machines[placement] ?? machine }
        func item(_ key: String, _ value: String, _ isHealthy: Bool) -> EvidenceItem {
            EvidenceItem(key: key, value: value, health: isHealthy ? .healthy : .unhealthy)
        }
        var reading = SurfaceReading(name: order.surface.name, role: order.role, durationMilliseconds: 1)
        switch order.role {
        case .version: reading.items = [item(order.surface.reader.key[0], machine.version.rawValue, true)]
        case .runtime: reading.items = links(of: machine)
        case .materialization:
            reading.items = [item("result", "\(machine.materialization)", machine.materialization == 0)]
            reading.instrumentDigest = machine.instrument
        case .family:
            reading.unknown = machine.unknown
            reading.items = machine.statuses.sorted { $0.key < $1.key }.map {
                item($0.key, $0.value, ["up", "ready"].contains($0.value) || Double($0.value) != nil)
            }
        case .path: reading.items = [item("result", "\(machine.path)", machine.path == 200)]
        }
        if machine.emptyRole == order.role { reading.items = [] }
        return reading
    }

    private func links(of machine: Machine) -> [EvidenceItem] {
        Model.proof.source.links.compactMap { link in
            if let said = machine.links[link] { return said }
            switch link {
            case .manifest:
                let manifest = machine.manifest ?? Model.proof.approved[machine.version]?.manifest?.rawValue ?? ""
                return EvidenceItem(key: "manifest", value: manifest, health: .healthy)
            case .started:
                return EvidenceItem(key: "started", value: machine.begunAt.rfc3339Milliseconds, health: .healthy)
            case .files, .process, .program, .mappings, .port, .commit, .worktree, .container, .image, .unit:
                return EvidenceItem(key: link.description, value: "as it should be", health: .healthy)
            }
        }
    }

    private mutating func start(_ intent: OperationIntent) -> [RunEvent] {
        guard isReachable(intent.placement.host) else { return [lost(intent.placement.host)] }
        guard !followed.contains(intent.id), state.maySend(intent.id) else { return [] }
        followed.insert(intent.id)
        if case .neverArrives = script(of: intent) {
            return [.operationUncertain(id: intent.id, detail: "connection lost")]
        }
        execute(intent)
        if case .losesItsEnd = script(of: intent) {
            return [
                .operationStarted(id: intent.id), .operationUncertain(id: intent.id, detail: "connection lost"),
            ]
        }
        let record = OperationRecord(
            id: intent.id, outcome: outcome(of: intent), startedAt: wall,
            outputTail: machines[intent.placement]?.prints ?? "")
        return [.operationStarted(id: intent.id), .operationEnded(record)]
    }

    /// The agent's journal decides: an operation that began has a record, one that never arrived gets a tombstone.
    private mutating func settle(_ intent: OperationIntent) -> [RunEvent] {
        followed.insert(intent.id)
        guard isReachable(intent.placement.host) else {
            return [
                .operationUncertain(id: intent.id, detail: "connection lost"), lost(intent.placement.host),
            ]
        }
        if let begun = journal[intent.id] {
            return [.operationEnded(OperationRecord(id: intent.id, outcome: outcome(of: intent), startedAt: begun))]
        }
        if case .neverArrives = script(of: intent) { machines[intent.placement]?.script = .passes }
        return [.operationTombstoned(id: intent.id)]
    }

    private mutating func confirm(_ intent: OperationIntent) -> [RunEvent] {
        guard isReachable(intent.placement.host) else { return [lost(intent.placement.host)] }
        guard let outcome = machines[intent.placement]?.goesBack, let revert = intent.revert else {
            return [.operationConfirmed(id: intent.id)]
        }
        if outcome == .exited(code: 0) { machines[intent.placement]?.version = "1" }
        return [.operationReverted(id: intent.id, record: OperationRecord(id: revert.id, outcome: outcome))]
    }

    private func script(of intent: OperationIntent) -> Script {
        let machine = machines[intent.placement] ?? Machine()
        return intent.action == .rollback ? machine.rollback : machine.script
    }

    private func outcome(of intent: OperationIntent) -> OperationOutcome {
        if case .ends(let outcome) = script(of: intent) { outcome } else { .exited(code: 0) }
    }

    private mutating func execute(_ intent: OperationIntent) {
        journal[intent.id] = wall
        switch outcome(of: intent) {
        case .guardrailRefused, .notStarted: return
        case .exited, .signaled, .timedOut, .interrupted, .rebooted: break
        }
        starts[intent.id, default: 0] += 1
        order.append(intent.placement)
        guard outcome(of: intent) == .exited(code: 0) else { return }
        let isRollback = intent.action == .rollback
        machines[intent.placement]?.version = isRollback ? "1" : "2"
        if machines[intent.placement]?.keepsProcess == false { machines[intent.placement]?.begunAt = wall }
        if isRollback {
            let numbers = machines[intent.placement]?.statuses.filter { Double($0.value) != nil } ?? [:]
            machines[intent.placement]?.statuses = Machine().statuses.merging(numbers) { $1 }
        } else if let change = machines[intent.placement]?.afterUpgrade {
            change(&machines[intent.placement, default: Machine()])
        }
    }
}

/// Short constructors for plans and fleets.
enum Model {
    static let command = ScriptCommand(arguments: ["bash", "./x.sh"], timeoutSeconds: 10)

    /// Much later than the end of any test.
    static let rollbackUntil = WallTime(clamping: 1_000_000_000)

    static let proof = RuntimeProof(
        source: RuntimeSource(manifest: "current/manifest", pidFile: "run/pid", ports: ["80"]),
        approved: [
            "1": ApprovedRelease(manifest: "sha256:m1"), "2": ApprovedRelease(manifest: "sha256:m2"),
        ])

    static func layer(_ name: LayerName, change: (inout PlanLayer) -> Void = { _ in }) -> PlanLayer {
        let version = VersionChange(from: "1", to: "2")
        let observe = SurfaceSource.http(HTTPSource(url: "${baseURL}/version", timeoutSeconds: 5))
        var layer = PlanLayer(
            name: name, version: version,
            components: [
                Component(name: "app", version: version, observe: observe, pointer: "/version", runtime: proof)
            ],
            steps: [Step(name: "redeploy", command: command)],
            rollback: RollbackPosture(command: command, boundary: .untilFinalize), batches: [.count(1), .percent(100)],
            maxInFlight: 1, soakSeconds: 10, sampleSeconds: 5, healthyWithinSeconds: 30, progressDeadlineSeconds: 600,
            failedWhen: ["it does not answer"])
        change(&layer)
        return layer
    }

    /// Creates a run over layers and hosts; `hosts` names each host's layers.
    static func run(
        _ layers: [PlanLayer] = [layer("data"), layer("core"), layer("edge")],
        hosts: [(HostName, [LayerName])] = [
            ("d1", ["data"]), ("d2", ["data"]), ("c1", ["core"]), ("c2", ["core"]), ("c3", ["core"]), ("e1", ["edge"]),
        ], succession: Succession? = nil, change: (inout Plan) -> Void = { _ in }
    ) -> RunDefinition {
        let services = Surface(
            name: "services", source: .http(HTTPSource(url: "${baseURL}/s", timeoutSeconds: 5)),
            reader: Reader(shape: .statusMap))
        let path = Surface(
            name: "smoke", source: .http(HTTPSource(url: "${baseURL}/smoke", timeoutSeconds: 5)),
            reader: Reader(shape: .result))
        var plan = Plan(
            name: "model", version: VersionChange(from: "1", to: "2"), changeClass: .minor,
            reviews: [Review(title: "notes", reference: "url")], evidence: [services], materialization: command,
            guardrails: [command], representativePath: path, layers: layers)
        change(&plan)
        let machines = hosts.map { name, layers in
            Host(
                name: name, address: "\(name)", user: "u", workingDirectory: "/srv",
                placements: layers.map { HostPlacement(layer: $0, baseURL: "http://127.0.0.1:1") })
        }
        let owners = Dictionary(uniqueKeysWithValues: layers.map { ($0.name, [Owner("own-\($0.name)")]) })
        return RunDefinition(
            run: "r-1", ledger: "l", plan: plan, planDigest: "sha256:p", hosts: machines, hostsDigest: "sha256:h",
            approvals: layers.map {
                Approval(
                    owner: Owner("own-\($0.name)"), planDigest: "sha256:p", hostsDigest: "sha256:h", claimedBy: "op",
                    approvedAt: WallTime(clamping: 0), rollbackUntil: Model.rollbackUntil)
            }, owners: owners, succession: succession)
    }
}

extension RolloutState {
    /// The transitions that one event caused; a placement that enters its phase again has a transition to itself.
    func arrows(since before: [Placement: PlacementState]) -> Set<[String]> {
        Set(
            placements.all.compactMap { placement, now in
                guard let then = before[placement], then.phaseSequence != now.phaseSequence else { return nil }
                return [then.phase.kind.rawValue, now.phase.kind.rawValue]
            })
    }
}

import AgentProtocol
package import Logging
package import RolloutEngine
package import UpgradeDomain

/// Drives one run: folds its events, asks the engine what is next, carries it out, and appends the results.
///
/// A start, a restart after a crash and a takeover are the same code path. If the process dies at any moment, the
/// ledger has every intent that may have reached a host, and the next driver settles each before anything else.
package actor RunDriver {
    /// How often the driver checks for requests from other terminals.
    static let requestPollInterval = Duration.milliseconds(250)
    /// The maximum duration of a turn. A turn is normally a quarter of a second. A longer one counts as time in which
    /// nothing was watched: the process was stopped, its machine was suspended, or its disk blocked.
    static let longestTurn = Duration.seconds(5)
    /// How often an append is retried when requests of others come first.
    static let appendAttempts = 100
    /// How many reports of hosts are appended at once, with their answers.
    static let reportsPerAppend = 256
    /// A group that has this many bytes of answers takes no further report.
    static let evidenceBytesPerAppend = 67_108_864

    private let run: RunID
    private let driver: Driver
    private let log: any RunLog
    private let work: HostWork
    private let links: HostLinks
    private let executor: (any TaskExecutor)?
    private let clock: RuntimeClock
    private let observe: @Sendable (RolloutState) -> Void
    private let logger: Logger

    private var state: RolloutState
    private var inFlight: [Effect: Task<Void, Never>] = [:]
    /// Operations that a task in flight has sent or asked about, and will report on.
    private var followed: Set<OperationID> = []
    private var inbox: [HostReport] = []
    private var waiter: CheckedContinuation<Void, Never>?
    private var lastTurn = MonotonicTime.zero
    private var stop = StopRequest.none
    private var isDeposed = false

    private enum StopRequest { case none, drain, detach }

    /// How a drive ended.
    package enum End: Sendable {
        /// Nothing happens until a person acts.
        case atRest(RolloutState)
        /// Stopped on request; the operations `inFlight` continue on their hosts.
        case detached(RolloutState, inFlight: [OperationID])
        /// A newer driver holds the run.
        case deposed(RolloutState)
    }

    /// The build that drove the run last; nil if there was none, or if it is unknown.
    package nonisolated let previousBuild: CoordinatorBuild?

    /// Log messages name the run and the epoch only if `logger` adds them.
    ///
    /// - Throws: errors of the log; ``RuntimeError`` if the run does not exist, or was driven by a build whose agents
    ///   this one can not talk to.
    package init(
        run: RunID, ledger: LedgerID, driver: Driver, token: LeaseToken?, version: String, log: any RunLog,
        connector: any HostConnector, clock: RuntimeClock, logger: Logger = .silent,
        observe: @escaping @Sendable (RolloutState) -> Void
    ) async throws {
        let build = CoordinatorBuild(version: version, protocols: ProtocolLimits.versions)
        self.run = run
        self.driver = Driver(
            epoch: driver.epoch, user: driver.user, machine: driver.machine, processID: driver.processID, build: build)
        self.log = log
        self.clock = clock
        self.observe = observe
        self.logger = logger
        executor = connector.executor
        let hello = DrivingHello(ledger: ledger, fence: Fence(driver.epoch, token), record: log)
        let events = try await log.events(of: run, after: 0)
        guard let state = RolloutState.fold(events, at: clock.monotonic()) else { throw RuntimeError.noSuchRun(run) }
        links = HostLinks(
            connector: connector, hello: hello, carrying: state.plan.files ?? [], clock: clock, logger: logger)
        work = HostWork(links: links, clock: clock)
        self.state = state
        previousBuild = try RunDriver.previousBuild(of: run, events.map(\.event), continuedBy: build)
    }

    /// The build that drove a run last; throws if this build can not continue its run.
    static func previousBuild(
        of run: RunID, _ events: [RunEvent], continuedBy own: CoordinatorBuild
    ) throws(RuntimeError) -> CoordinatorBuild? {
        let builds = events.compactMap { event in
            if case .driverAttached(let driver) = event { driver.build } else { nil }
        }
        guard let before = builds.last else { return nil }
        guard !Set(before.protocols).isDisjoint(with: own.protocols) else {
            throw .protocolNotSupported(run, drivenBy: before, build: own)
        }
        return before
    }

    /// Drives until the run is at rest, the caller stops it, or a newer driver takes over.
    package func drive() async throws -> End {
        logger.info("driving the run", metadata: ["sequence": "\(state.sequence)"])
        try await append([.driverAttached(driver)])
        lastTurn = clock.monotonic()
        while !isDeposed {
            try await noteStandstill()
            try await drainInbox()
            if isOver || (state.isAtRest && inFlight.isEmpty) { break }
            if stop == .detach || (stop == .drain && !isSupervising) { break }
            let wall = clock.wall()
            let decision = state.next(at: clock.monotonic(), wall, following: followed)
            let records = decision.effects.compactMap(\.recorded)
            if !records.isEmpty, stop == .none {
                try await commit(records, at: wall)
                continue
            }
            for effect in decision.effects { launch(effect) }
            await wait(until: decision.wakeAt)
            try await readRequests()
        }
        return try await finish()
    }

    /// Records that nothing was watched for a while, before anything is decided based on the elapsed time.
    private func noteStandstill() async throws {
        let now = clock.monotonic()
        let gap = now - lastTurn
        lastTurn = now
        guard gap > RunDriver.longestTurn, state.isWatching, !isOver else { return }
        logger.notice("nothing was watched for a while", metadata: ["seconds": "\(gap.components.seconds)"])
        try await append([
            .watchInterrupted(WatchInterruption(placement: nil, seconds: Int(gap.components.seconds)))
        ])
    }

    /// Starts nothing new and lets work in flight finish; a second call detaches at once.
    package func requestStop() {
        stop = stop == .none ? .drain : .detach
        logger.info("asked to stop", metadata: ["detach": "\(stop == .detach)"])
        wake()
    }

    /// Detaches at once: operations continue on their hosts.
    package func requestDetach() {
        logger.info("asked to stop", metadata: ["detach": "true"])
        stop = .detach
        wake()
    }

    /// Nothing more can be appended: another driver took over, or the run was closed.
    private var isOver: Bool { isDeposed || state.isClosed }

    // MARK: Effects

    private var isSupervising: Bool {
        inFlight.keys.contains { effect in
            switch effect {
            case .start, .settle, .confirm: true
            case .record, .preflight, .capture: false
            }
        }
    }

    private func launch(_ effect: Effect) {
        // A sample that omits less is not taken beside one of the same placement that is under way.
        guard inFlight[effect.withoutOmissions] == nil else { return }
        let state = state
        switch effect {
        case .record: return
        case .preflight(let name):
            guard stop == .none, let host = state.hosts[name] else { return }
            begin(effect) { [work] driver in await driver.post(work.preflight(host, state)) }
        case .capture(let order):
            guard stop == .none, let host = state.hosts[order.host] else { return }
            begin(effect) { [work] driver in await driver.post(work.capture(order, host, state)) }
        case .start(let intent):
            guard stop == .none, let host = state.hosts[intent.placement.host] else { return }
            begin(effect) { [work] driver in
                await work.start(
                    intent, host, state, dispatch: { await driver.dispatch(intent) }, post: { await driver.post($0) })
            }
        case .settle(let intent):
            guard let host = state.hosts[intent.placement.host] else { return }
            followed.insert(intent.id)
            begin(effect) { [work] driver in
                await work.settle(intent, host, state, post: { await driver.post($0) })
            }
        case .confirm(let intent):
            guard let host = state.hosts[intent.placement.host] else { return }
            begin(effect) { [work] driver in
                await work.confirm(intent, host, state, post: { await driver.post($0) })
            }
        }
    }

    private func begin(_ effect: Effect, _ body: @escaping @Sendable (RunDriver) async -> Void) {
        logger.debug("effect started", metadata: effect.metadata)
        inFlight[effect.withoutOmissions] = Task(executorPreference: executor) { [self] in
            await body(self)
            await ended(effect)
        }
    }

    private func ended(_ effect: Effect) {
        inFlight[effect.withoutOmissions] = nil
        logger.debug("effect ended", metadata: effect.metadata)
        if let operation = effect.operation { followed.remove(operation) }
        wake()
    }

    /// The last check before an intent is sent; nil if it may not be sent any more, or was decided before a standstill.
    private func dispatch(_ intent: OperationIntent) -> StartRequest? {
        guard stop == .none, !isDeposed, clock.monotonic() - lastTurn <= RunDriver.longestTurn,
            state.maySend(intent.id), let host = state.hosts[intent.placement.host],
            let script = state.script(of: intent)
        else { return nil }
        followed.insert(intent.id)
        let secretFiles = state.secretFiles(on: host)
        return StartRequest(
            intent: intent, run: run, chainHead: state.chainHead,
            workingDirectory: host.workingDirectory(in: intent.placement.layer),
            guardrails: script.guardrails, command: script.command, usesPreservedScript: script.usesPreserved,
            revert: state.revertScript(of: intent).map {
                RevertScript(guardrails: $0.guardrails, command: $0.command)
            }, secretFiles: secretFiles.isEmpty ? nil : secretFiles)
    }

    /// Takes the results of an effect. Those of a cancelled effect are ignored: they say nothing about the host.
    private func post(_ reports: [HostReport]) {
        if Task.isCancelled { return }
        inbox += reports
        wake()
    }

    // MARK: The log

    /// Appends until nothing waits. Reports that arrive during an append must also be appended before the next
    /// decision, or the effect that reported them would be due again.
    private func drainInbox() async throws {
        while !inbox.isEmpty, !isOver {
            var bytes = 0
            let group = inbox.prefix(RunDriver.reportsPerAppend).prefix { report in
                defer { bytes += report.evidence.reduce(0) { $0 + $1.count } }
                return bytes < RunDriver.evidenceBytesPerAppend
            }
            inbox.removeFirst(group.count)
            try await append(group.map(\.event), with: group.flatMap(\.evidence))
        }
    }

    /// Appends facts, which stay true even if a request was appended first.
    private func append(_ events: [RunEvent], with evidence: [[UInt8]] = []) async throws {
        for _ in 0..<RunDriver.appendAttempts where !isOver {
            if try await commit(events, with: evidence) { return }
        }
        if !isOver { throw RuntimeError.appendStarved(run) }
    }

    /// Appends at the sequence number of the state, with evidence judged against that state. False if a request came in
    /// between: the decision is void then, and the engine is asked again.
    ///
    /// - Parameter decided: when the events were decided, if they were: what was permitted then is recorded with that time.
    @discardableResult
    private func commit(
        _ events: [RunEvent], with evidence: [[UInt8]] = [], at decided: WallTime? = nil
    ) async throws -> Bool {
        let (wall, now) = (decided ?? clock.wall(), clock.monotonic())
        let judged = state.judged(events, at: wall)
        switch try await log.append(judged, with: evidence, to: state, at: wall, epoch: driver.epoch) {
        case .appended(let recorded):
            take(recorded, at: now)
            return true
        case .conflict:
            logger.debug("somebody else recorded first", metadata: ["sequence": "\(state.sequence)"])
            try await readRequests()
        case .deposed: isDeposed = true
        }
        return false
    }

    private func readRequests() async throws {
        take(try await log.events(of: run, after: state.sequence), at: clock.monotonic())
    }

    private func take(_ recorded: [RecordedEvent], at now: MonotonicTime) {
        guard !recorded.isEmpty else { return }
        for event in recorded {
            logger.debug("recorded", metadata: ["event": "\(event.event.kind)", "sequence": "\(event.sequence)"])
            state.apply(event, at: now)
        }
        // A driver that was suspended while another one drove may have nothing left to append.
        if let epoch = state.driver?.epoch, epoch > driver.epoch { isDeposed = true }
        observe(state)
    }

    // MARK: Waiting

    private func wait(until wakeAt: MonotonicTime?) async {
        guard inbox.isEmpty else { return }
        let poll = RunDriver.requestPollInterval
        let pause = wakeAt.map { max(.milliseconds(1), min($0 - clock.monotonic(), poll)) } ?? poll
        let timer = Task { [clock] in
            // A wait that was interrupted must not wake the next one.
            try await clock.sleep(pause)
            self.wake()
        }
        await withCheckedContinuation { waiter = $0 }
        timer.cancel()
    }

    private func wake() {
        waiter?.resume()
        waiter = nil
    }

    private func finish() async throws -> End {
        for task in inFlight.values { task.cancel() }
        await links.closeAll()
        for task in Array(inFlight.values) { await task.value }
        if isDeposed { logger.notice("deposed by a newer driver") }
        if isDeposed { return .deposed(state) }
        if stop == .none || state.isAtRest {
            try await drainInbox()
            logger.info("at rest", metadata: ["status": "\(state.status)", "sequence": "\(state.sequence)"])
            return .atRest(state)
        }
        try await drainInbox()
        if !isDeposed { try await append([.driverDetached(reason: "stopped by its operator")]) }
        logger.info("detached", metadata: ["operations": "\(state.openOperations.count)"])
        return isDeposed ? .deposed(state) : .detached(state, inFlight: state.openOperations.sorted())
    }
}

extension Effect {
    /// The operation that it sends or asks about.
    fileprivate var operation: OperationID? {
        switch self {
        case .start(let intent), .settle(let intent), .confirm(let intent): intent.id
        case .record, .preflight, .capture: nil
        }
    }

    fileprivate var recorded: RunEvent? {
        switch self {
        case .record(let event): event
        case .preflight, .capture, .start, .settle, .confirm: nil
        }
    }
}

import CoordinatorRuntime
import Failpoints
import FleetAccess
import Foundation
import Glibc
import Ledger
import Logging
import OperatorCommands
import RolloutEngine
import RunRecord
import RunViews
import SafeText
import UpgradeDomain

/// What commands do with one run: read it, send it requests, drive it.
struct RunControl {
    static let requestAttempts = 100

    let context: Context
    let ledger: Ledger
    let run: RunID
    /// The digest of its plan.
    let plan: Digest

    init(_ context: Context, _ ledger: Ledger, run text: String) async throws {
        self.ledger = ledger
        log = LedgerRunLog(ledger: ledger)
        let summary = try await ledger.run(matching: text)
        (run, plan) = (summary.id, summary.planDigest)
        var context = context
        context.logger[metadataKey: "run"] = "\(run)"
        self.context = context
    }

    let log: LedgerRunLog

    func state() async throws -> RolloutState {
        if try await ledger.quarantine(of: run) != nil {
            throw CommandError(
                .refused, "\(run) is quarantined: its record can not be read", consequence: "It is kept unchanged.",
                next: .status(run: run))
        }
        let events = try await log.events(of: run, after: 0)
        guard let state = RolloutState.fold(events, at: Context.clock.monotonic()) else {
            throw RuntimeError.noSuchRun(run)
        }
        return state
    }

    /// A summary of the run: from the ledger's stored overview, or from its events if the overview is missing or
    /// unreadable.
    ///
    /// - Parameter limit: as in ``RunReport``.
    func report(placementsPerLayer limit: Int?) async throws -> RunReport {
        if let stored = try await ledger.overview(of: run, build: OverviewKeeper.format, placementsPerLayer: limit),
            let report = try? RunReport(stored)
        {
            return report
        }
        return RunReport(try await state(), placementsPerLayer: limit)
    }

    /// The operations that the run intended, in the order of the record.
    func intents() async throws -> [OperationIntent] {
        try await log.events(of: run, after: 0).compactMap { recorded in
            if case .operationIntended(let intent) = recorded.event { intent } else { nil }
        }
    }

    /// Who drives, as a sentence.
    func driverSentence() async throws -> String {
        guard let driver = try await ledger.currentDriver(of: run) else { return "it has no driver" }
        return "driven by \(driver.user)@\(driver.machine), process \(driver.processID)"
    }

    // MARK: Requests

    /// Appends a request, if the engine accepts it at exactly that point of the chain.
    ///
    /// - Parameters:
    ///   - act: what it always needs a reason for; see ``Context/reason(_:for:)``.
    ///   - owners: owners who approve it in the same command. Their claims are recorded with it, or not at all. Where a policy
    ///     rules the run, they sign what is missing before it.
    ///   - deciders: who decide it. Where a policy rules the run, they sign as well.
    ///   - key: the file with the key that signs; nil for the ssh-agent.
    func request(
        _ action: RequestedAction, reason given: String? = nil, needsReason act: String? = nil,
        approvedBy owners: [Owner] = [], decidedBy deciders: [Owner] = [], key: String? = nil
    ) async throws -> RolloutState {
        _ = try await presentNews()
        if !owners.isEmpty || !deciders.isEmpty || key != nil {
            try await signMissing(for: action, by: Set(owners + deciders).sorted(), key: key)
        }
        var reason = given?.isEmpty == false ? given : nil
        for _ in 0..<RunControl.requestAttempts {
            let state = try await state()
            let wall = Context.clock.wall()
            var (approved, events) = try approvals(of: action, by: owners, reason, state)
            let request = Request(action: action, by: context.user, reason: reason)
            if let refusal = approved.refusal(of: request, at: wall) {
                guard refusal.isForWantOfReason, let typed = try context.ask(why: refusal.message) else {
                    throw refused(refusal, of: action, state)
                }
                reason = typed
                continue
            }
            if reason == nil, let act {
                reason = try context.reason(nil, for: act)
                continue
            }
            events.append(.requested(request))
            switch try await log.append(events, with: [], to: state, at: wall, epoch: nil) {
            case .appended: return try await self.state()
            case .conflict, .deposed: continue
            }
        }
        throw RuntimeError.appendStarved(run)
    }

    /// The approvals that owners give with a request, and the state of the run with them.
    private func approvals(
        of action: RequestedAction, by owners: [Owner], _ reason: String?, _ state: RolloutState
    ) throws -> (approved: RolloutState, events: [RunEvent]) {
        var approved = state
        var events: [RunEvent] = []
        for owner in owners {
            if let refusal = approved.refusal(of: action) { throw refused(refusal, of: action, state) }
            guard let approval = approved.recoveryApproval(of: action, by: owner) else { continue }
            let request = Request(action: .approveRecovery(approval), by: context.user, reason: reason)
            if let refusal = approved.refusal(of: request, at: Context.clock.wall()) {
                throw refused(refusal, of: action, state)
            }
            events.append(.requested(request))
            approved.apply(
                RecordedEvent(
                    sequence: approved.sequence + 1, recordedAt: Context.clock.wall(), event: .requested(request),
                    hash: state.chainHead), at: Context.clock.monotonic())
        }
        return (approved, events)
    }

    /// Records an owner's approval of a recovery, without running it.
    func approve(_ action: RequestedAction, by owner: Owner, reason: String?) async throws -> CommandResult {
        let state = try await state()
        if let refusal = state.refusal(of: action) { throw refused(refusal, of: action, state) }
        guard let approval = state.recoveryApproval(of: action, by: owner) else {
            throw CommandError(
                .refused, "\(action.sentence) needs no approval beforehand where no policy rules the run",
                consequence: "Nothing was recorded. Its owner decides it with the command itself.",
                next: state.nextCommands(at: Context.clock.wall()).first?.command ?? .status(run: run))
        }
        let after = try await request(.approveRecovery(approval), reason: reason)
        return CommandResult(
            lines: ["\(approval.sentence) is recorded, \(claimWords(by: context.user))"],
            document: approval, next: after.nextCommands(at: Context.clock.wall()).map(\.command))
    }

    private func refused(
        _ refusal: RequestRefusal, of action: RequestedAction, _ state: RolloutState
    ) -> CommandError {
        CommandError(refusal, of: action, in: state, at: Context.clock.wall(), consequence: "Nothing was recorded")
    }

    /// Sends a request and follows it to its end: drives the run if it has no driver, else watches it.
    ///
    /// - Parameter outcome: the outcome of the request once the run is at rest; nil to use the status of the run.
    func requestAndFollow(
        _ action: RequestedAction, reason: String? = nil, needsReason act: String? = nil,
        approvedBy owners: [Owner] = [], decidedBy deciders: [Owner] = [], key: String? = nil,
        outcome: (RolloutState) -> Outcome? = { _ in nil }
    ) async throws -> CommandResult {
        _ = try await request(
            action, reason: reason, needsReason: act, approvedBy: owners, decidedBy: deciders, key: key)
        if try await ledger.currentDriver(of: run) != nil { return try await watch(outcome) }
        return try await drive(outcome)
    }

    /// The outcome of a request.
    struct Outcome {
        var status: ExitStatus
        var remarks: [TerminalText] = []
    }

    // MARK: Driving

    /// Drives the run in this process until it is at rest or the operator detaches.
    func drive(_ outcome: (RolloutState) -> Outcome? = { _ in nil }) async throws -> CommandResult {
        _ = try await presentNews()
        let lease = try await ledger.acquireLease(
            on: run, user: context.user, machine: ProcessInfo.processInfo.hostName, processID: getpid(),
            at: Context.clock.wall())
        Failpoint.leaseTaken.pass()
        defer { lease.release() }
        var context = context
        context.logger[metadataKey: "epoch"] = "\(lease.driver.epoch)"
        let connection = try await context.connection(to: Array(try await state().hosts.values), of: ledger)
        let news = ApprovalNews()
        let view = RunView(context, driver: "driven here, process \(getpid()); Ctrl-C stops starting new work")
        let driver = try await RunDriver(
            run: run, ledger: ledger.id, driver: lease.driver, token: lease.token, version: LockflightVersion.current,
            log: log,
            connector: connection.connector,
            clock: Context.clock, logger: context.logger,
            observe: { state in
                view.show(state)
                news.observe(state)
            })
        let presenting = Task {
            for await _ in news.begun {
                do { _ = try await presentNews() } catch {
                    context.logger.error("approvals could not be read", metadata: ["error": "\(error)"])
                }
            }
        }
        defer { presenting.cancel() }
        if let before = driver.previousBuild, before.version != LockflightVersion.current {
            view.remark(
                "\(run) was driven by Lockflight \(before.version); its events and its agents' protocol are supported here"
            )
        }
        let lastWords: [TerminalText] = [
            "this process did not exit within 2 s, so it exits now; operations on hosts continue",
            "next: \(context.commandLines.line(.resume(run: run)))",
        ]
        let signals = Task {
            for await signal in TerminalSignal.stream(lastWords: lastWords) {
                switch signal {
                case .interrupt:
                    view.remark(
                        "stopping: nothing new starts; operations in flight finish (Ctrl-C again exits at once)")
                    await driver.requestStop()
                case .hangUp, .terminate: await driver.requestDetach()
                case .resized: view.redraw()
                }
            }
        }
        let redraw = Task { await view.tick() }
        let end: RunDriver.End
        do {
            end = try await driver.drive()
        } catch {
            context.logger.error("the driver ended", metadata: ["error": "\(error)"])
            signals.cancel()
            redraw.cancel()
            await connection.close()
            throw error
        }
        signals.cancel()
        redraw.cancel()
        await connection.close()
        TerminalSignal.restore()
        return result(of: end, view, outcome)
    }

    private func result(
        of end: RunDriver.End, _ view: RunView, _ outcome: (RolloutState) -> Outcome?
    ) -> CommandResult {
        switch end {
        case .atRest(let state): return atRest(state, view, outcome)
        case .detached(let state, let inFlight):
            var result = view.finish(state, status: .detached)
            let going =
                inFlight.isEmpty
                ? "nothing is in flight"
                : "still running on their hosts: \(inFlight.map(\.rawValue).joined(separator: ", "))"
            result.remarks = ["stopped; \(going)"] + state.pendingReverts.map { "\($0.sentence)" }
            result.next = [.resume(run: run)]
            return result
        case .deposed(let state):
            var result = view.finish(state, status: .refused)
            result.remarks = ["deposed: a newer driver holds the run; this process made no further changes"]
            return result
        }
    }

    private func atRest(
        _ state: RolloutState, _ view: RunView, _ outcome: (RolloutState) -> Outcome?
    ) -> CommandResult {
        let own = outcome(state)
        var result = view.finish(state, status: own?.status ?? state.exitStatus)
        result.remarks = own?.remarks ?? []
        return result
    }

    // MARK: Watching

    /// Follows a run that another process drives, until it is at rest or has no driver any more.
    func watch(_ outcome: (RolloutState) -> Outcome? = { _ in nil }) async throws -> CommandResult {
        let view = RunView(context, driver: nil)
        return try await watch(view, outcome) { view.show($0) }
    }

    /// Follows one host of such a run: its phases and the live output of its operations.
    func watch(host name: HostName) async throws -> CommandResult {
        let state = try await state()
        guard let host = state.hosts[name] else {
            throw CommandError(.refused, "\(run) has no host '\(name)'", next: .statusOfEveryHost(run: run))
        }
        var plain = context
        plain.isTerminal = false
        let view = RunView(plain, driver: nil, host: name)
        let reader = try await OutputReader(context, ledger, hosts: [host])
        // Output of operations that ended earlier is not shown; `output` shows it.
        var shown = Set(state.operations.keys).subtracting(state.openOperations)
        var positions: [OperationID: Int64] = [:]
        let result: CommandResult
        do {
            result = try await watch(view) { state in
                view.show(state)
                for intent in try await intents() where intent.placement.host == name && !shown.contains(intent.id) {
                    guard state.operations[intent.id]?.hasOutput == true else { continue }
                    let isNew = positions[intent.id] == nil
                    var position = positions[intent.id] ?? 0
                    if await view.follow(intent, on: host, from: &position, with: reader) { shown.insert(intent.id) }
                    positions[intent.id] = position
                    if isNew, !shown.contains(intent.id) {
                        view.remark("\(name) can not be reached; its output continues here once it can")
                    }
                }
            }
        } catch {
            await reader.close()
            throw error
        }
        await reader.close()
        return result
    }

    private func watch(
        _ view: RunView, _ outcome: (RolloutState) -> Outcome? = { _ in nil },
        _ show: (RolloutState) async throws -> Void
    ) async throws -> CommandResult {
        var token: ChangeToken?
        var state = try await state()
        while true {
            // Read before the events: once a driver is gone, everything that it recorded can be read.
            let isDriven = try await ledger.currentDriver(of: run) != nil
            let now = try await ledger.changeToken()
            if now != token {
                token = now
                state = try await self.state()
                try await show(state)
            }
            if !isDriven || (state.isAtRest && state.openOperations.isEmpty) { break }
            try await Task.sleep(for: .milliseconds(200))
        }
        var result = atRest(state, view) { $0.isAtRest ? outcome($0) : nil }
        result.remarks.append("\(try await driverSentence())")
        return result
    }
}

extension PendingRevert {
    fileprivate var sentence: String {
        guard let endedAt else {
            return
                "\(placement.host) rolls back automatically unless it is confirmed within \(withinSeconds) s of the end of \(operation)"
        }
        let due = endedAt.advanced(bySeconds: withinSeconds)
        return "\(placement.host) rolls back automatically at \(due.rfc3339) unless the run is resumed before then"
    }
}

import AgentProtocol
import ContentDigest
import Failpoints
import RolloutEngine
import UpgradeDomain

/// Carries out single effects on hosts and reports the results as events. It decides nothing.
struct HostWork: Sendable {
    /// How long a host that does not answer is retried before it counts as lost.
    static let patience = Duration.seconds(3)
    /// The same if the outcome of an operation depends on it.
    static let settlePatience = Duration.seconds(20)
    static let requestTimeout = Duration.seconds(30)
    /// Preflight reads whole releases if the plan gives their digests.
    static func preflightTimeout(_ artifacts: [RollbackArtifact]) -> Duration {
        artifacts.contains { $0.sha256 != nil } ? .seconds(600) : requestTimeout
    }
    /// The maximum output of an operation that is stored with its run.
    static let keptOutputBytes = 1_048_576
    /// How much longer than its own timeout a script may take: guardrails, grace period and automatic rollback.
    static let supervisionSlack = Duration.seconds(60)

    let links: HostLinks
    let clock: RuntimeClock
    private let spacing: RequestSpacing

    init(links: HostLinks, clock: RuntimeClock) {
        self.links = links
        self.clock = clock
        spacing = RequestSpacing(clock: clock)
    }

    // MARK: Preflight

    func preflight(_ host: Host, _ state: RolloutState) async -> [HostReport] {
        do throws(ContactFailure) {
            var facts: PreflightFacts?
            let places = state.preflightNeeds(of: host.name)
            for needs in places {
                var found = try await preflight(host, needs, run: state.definition.run, continues: facts != nil)
                if let first = facts, first.agent != found.agent || first.bootID != found.bootID {
                    throw ContactFailure(.machineChanged, "\(host.name) became another machine during its preflight")
                }
                if places.count > 1 { found = found.placed(in: needs.workingDirectory) }
                facts?.add(found)
                facts = facts ?? found
            }
            guard let facts else { return [] }
            return [HostReport(.preflightRecorded(state.preflightRecord(of: host.name, facts)))]
        } catch {
            return [lost(host.name, error)]
        }
    }

    /// - Parameter continues: whether another working directory of the host was asked about before.
    private func preflight(
        _ host: Host, _ needs: PreflightNeeds, run: RunID, continues: Bool
    ) async throws(ContactFailure) -> PreflightFacts {
        let (link, (reply, differences)) = try await asking(host, pinnedBy: nil) { link throws(ContactFailure) in
            let keepsFolders = await link.session.protocolVersion >= 2
            let request = PreflightRequest(
                run: run, workingDirectory: needs.workingDirectory, commands: needs.commands,
                requires: needs.requires, preserve: keepsFolders ? [] : needs.keeps.map(\.command.scriptPath),
                keeps: keepsFolders ? needs.keeps : nil, continues: continues ? true : nil)
            let reply = try await link.session.single(
                .preflight(request), timeout: HostWork.preflightTimeout(needs.requires))
            return (reply, try await link.session.releaseDifferences(needs))
        }
        guard case .preflight(let found) = reply else { throw unexpected(reply, to: "preflight") }
        return PreflightFacts(found, of: link.hello, at: clock.wall(), releaseDifferences: differences)
    }

    // MARK: Evidence

    func capture(_ order: CaptureOrder, _ host: Host, _ state: RolloutState) async -> [HostReport] {
        let surfaces = state.surfaces(for: order)
        do throws(ContactFailure) {
            let (_, (begun, replies)) = try await asking(host, pinnedBy: state) { link throws(ContactFailure) in
                try await wait(for: surfaces)
                return (
                    clock.wall(),
                    try await link.session.answers(
                        to: surfaces, in: order.subject.workingDirectory(on: host),
                        hiding: state.secretFiles(on: host),
                        leaving: order.purpose.isGate
                            ? RunHead(run: state.definition.run, chainHead: state.chainHead) : nil)
                )
            }
            let readings = surfaces.map { surface in
                let reply = replies[surface.surface.name]
                let raw = reply.flatMap { $0.body.elements.isEmpty ? nil : $0.body.elements }
                return EvidenceAssembly.reading(surface, reply, rawDigest: raw.map { Digest.sha256(of: $0) })
            }
            let capture = Capture(
                subject: order.subject, takenAt: begun, surfaces: readings,
                omits: order.omits.isEmpty ? nil : order.omits)
            let record = CaptureRecord(purpose: order.purpose, capture: capture, orderedAfter: state.sequence)
            return [
                HostReport(.captured(record), evidence: replies.values.map(\.body.elements).filter { !$0.isEmpty })
            ]
        } catch {
            return [lost(host.name, error)]
        }
    }

    private func wait(for surfaces: [SurfaceOrder]) async throws(ContactFailure) {
        do {
            try await spacing.wait(for: surfaces.map(\.surface))
        } catch {
            throw ContactFailure(.hostUnreachable, "the capture was cancelled before its turn")
        }
    }

    // MARK: Operations

    /// Sends an intent and follows it to its end. `dispatch` is called right before sending; nil means that the
    /// boundary has closed meanwhile.
    func start(
        _ intent: OperationIntent, _ host: Host, _ state: RolloutState,
        dispatch: @Sendable () async -> StartRequest?, post: @Sendable ([HostReport]) async -> Void
    ) async {
        let link: HostLinks.Link
        do throws(ContactFailure) {
            link = try await trusted(host, state, patience: HostWork.patience)
        } catch {
            await post([lost(host.name, error)])
            return
        }
        guard let request = await dispatch() else { return }
        // Nothing was sent, so nothing is in doubt.
        if let refusal = await link.session.refusal(of: .start(request)) {
            await post([HostReport(.startRefused(of: intent.id, refusal.message, provesNothingBegan: true))])
            return
        }
        do throws(ContactFailure) {
            Failpoint.beforeStartIsSent.pass()
            let reply = try await link.session.single(.start(request), timeout: HostWork.requestTimeout)
            Failpoint.afterStartIsSent.pass()
            guard case .started = reply else {
                await post([HostReport(refusedStart(reply, intent))])
                return
            }
            await post([HostReport(.operationStarted(id: intent.id))])
            await follow(intent, link.session, state, post: post)
        } catch {
            await post([HostReport(.operationUncertain(id: intent.id, detail: error.message))])
        }
    }

    /// The event for a reply other than `started`.
    private func refusedStart(_ reply: AgentReply, _ intent: OperationIntent) -> RunEvent {
        guard case .refused(let refusal) = reply else {
            return .startRefused(of: intent.id, "an unexpected reply", provesNothingBegan: false)
        }
        return .startRefused(
            of: intent.id, "\(refusal.code.rawValue): \(refusal.message)",
            provesNothingBegan: refusal.code.provesNothingBegan)
    }

    /// Asks for the outcome of an operation and follows it to its end.
    func settle(
        _ intent: OperationIntent, _ host: Host, _ state: RolloutState, post: @Sendable ([HostReport]) async -> Void
    ) async {
        do throws(ContactFailure) {
            let link = try await trusted(host, state, patience: HostWork.settlePatience)
            Failpoint.beforeSettleIsSent.pass()
            let reply = try await link.session.single(
                .settle(SettleRequest(operation: intent.id)), timeout: HostWork.requestTimeout)
            switch reply {
            case .ended(let record): await post(ended(Ending(record: record), intent))
            case .tombstoned: await post([HostReport(.operationTombstoned(id: intent.id))])
            case .running:
                await post([HostReport(.operationStarted(id: intent.id))])
                await follow(intent, link.session, state, post: post)
            case .hello, .preflight, .carried, .surface, .captured, .started, .output, .confirmed, .journal, .refused:
                throw unexpected(reply, to: "settle")
            }
        } catch {
            await post([
                HostReport(.operationUncertain(id: intent.id, detail: error.message)), lost(host.name, error),
            ])
        }
    }

    private func follow(
        _ intent: OperationIntent, _ session: AgentSession, _ state: RolloutState,
        post: @Sendable ([HostReport]) async -> Void
    ) async {
        do throws(ContactFailure) {
            await post(ended(try await end(of: intent.id, state.script(of: intent), session), intent))
        } catch {
            await post([HostReport(.operationUncertain(id: intent.id, detail: error.message))])
        }
    }

    /// How an operation ended, and its output if it is complete; a longer output stays on its host.
    private struct Ending {
        var record: OperationRecord
        var output: [UInt8] = []

        var evidence: [[UInt8]] { output.isEmpty ? [] : [output] }
    }

    /// Follows an operation's output until its record.
    private func end(
        of id: OperationID, _ script: OperationScript?, _ session: AgentSession
    ) async throws(ContactFailure) -> Ending {
        let commands = [script?.command].compactMap { $0 } + (script?.guardrails ?? [])
        let seconds = commands.reduce(0) { $0 + $1.timeoutSeconds }
        do {
            let stream = try await session.replies(
                to: .attach(AttachRequest(operation: id, fromByte: 0)),
                timeout: .seconds(seconds) + HostWork.supervisionSlack)
            var output: [UInt8] = []
            for try await reply in stream {
                switch reply {
                case .output(let piece):
                    if output.count <= HostWork.keptOutputBytes { output += piece.bytes.elements }
                case .ended(let record):
                    let isWhole = Int64(output.count) == record.outputBytes
                    return Ending(record: record, output: isWhole ? output : [])
                case .hello, .preflight, .carried, .surface, .captured, .started, .running, .tombstoned, .confirmed,
                    .journal,
                    .refused:
                    throw unexpected(reply, to: "attach")
                }
            }
        } catch let failure as ContactFailure {
            throw failure
        } catch {
            throw ContactFailure(.hostUnreachable, "\(error)")
        }
        throw ContactFailure(.hostUnreachable, "the output ended without a record")
    }

    // MARK: Confirmations

    /// Confirms a change over a new connection, so that the host keeps it, or learns that the host has rolled back.
    /// Retried as long as the host waits.
    func confirm(
        _ intent: OperationIntent, _ host: Host, _ state: RolloutState, post: @Sendable ([HostReport]) async -> Void
    ) async {
        guard let revert = intent.revert else { return }
        let patience = max(HostWork.settlePatience, .seconds(revert.withinSeconds))
        do throws(ContactFailure) {
            let link = try await links.newLink(to: host, patience: patience)
            do throws(ContactFailure) {
                try requireSameMachine(link, host, state)
                await post([try await confirmation(of: intent, revert, state, link.session)])
            } catch {
                await link.session.close()
                throw error
            }
            await link.session.close()
        } catch {
            await post([lost(host.name, error)])
        }
    }

    private func confirmation(
        of intent: OperationIntent, _ revert: RevertIntent, _ state: RolloutState, _ session: AgentSession
    ) async throws(ContactFailure) -> HostReport {
        Failpoint.beforeConfirmIsSent.pass()
        let reply = try await session.single(
            .confirm(ConfirmRequest(operation: intent.id)), timeout: HostWork.requestTimeout)
        Failpoint.afterConfirmation.pass()
        switch reply {
        case .confirmed(intent.id): return HostReport(.operationConfirmed(id: intent.id))
        case .running(revert.id):
            let ending = try await end(of: revert.id, state.revertScript(of: intent), session)
            guard ending.record.id == revert.id else {
                throw ContactFailure(.agentUnusable, "the agent answered with the record of \(ending.record.id)")
            }
            return HostReport(
                .operationReverted(id: intent.id, record: ending.record), evidence: ending.evidence)
        case .hello, .preflight, .carried, .surface, .captured, .started, .running, .output, .ended, .tombstoned,
            .confirmed,
            .journal, .refused:
            throw unexpected(reply, to: "confirm")
        }
    }

    /// Only the record of this operation counts as its end; an agent that sends another one is unusable.
    private func ended(_ ending: Ending, _ intent: OperationIntent) -> [HostReport] {
        guard ending.record.id != intent.id else {
            return [HostReport(.operationEnded(ending.record), evidence: ending.evidence)]
        }
        let words = "the agent answered with the record of \(ending.record.id)"
        return [
            HostReport(.operationUncertain(id: intent.id, detail: words)),
            lost(intent.placement.host, ContactFailure(.agentUnusable, words)),
        ]
    }

    // MARK: Contact

    /// Sends a request that changes nothing. If the connection is lost meanwhile, it is sent once more over a new one.
    /// A host that does not answer in time is not asked again.
    ///
    /// - Parameter state: the run whose preflight must have met the machine; nil before preflight.
    private func asking<Answer>(
        _ host: Host, pinnedBy state: RolloutState?, _ ask: (HostLinks.Link) async throws(ContactFailure) -> Answer
    ) async throws(ContactFailure) -> (HostLinks.Link, Answer) {
        let link = try await trusted(host, state, patience: HostWork.patience)
        do throws(ContactFailure) {
            return (link, try await ask(link))
        } catch {
            guard error.isTransient, await !link.session.isOpen else { throw error }
            let again = try await trusted(host, state, patience: HostWork.patience)
            return (again, try await ask(again))
        }
    }

    /// A session with exactly the machine that preflight met.
    private func trusted(
        _ host: Host, _ state: RolloutState?, patience: Duration
    ) async throws(ContactFailure) -> HostLinks.Link {
        let away = state?.declaredAbsence(of: host.name) ?? .zero
        let link = try await links.link(to: host, patience: max(patience, away))
        if let state { try requireSameMachine(link, host, state) }
        return link
    }

    private func requireSameMachine(
        _ link: HostLinks.Link, _ host: Host, _ state: RolloutState
    ) throws(ContactFailure) {
        if let known = state.preflight[host.name]?.agent, known != link.hello.identity {
            throw ContactFailure(.machineChanged, "\(host.name) answers with another agent identity than at preflight")
        }
    }

    private func lost(_ host: HostName, _ failure: ContactFailure) -> HostReport {
        HostReport(.hostLost(HostLoss(host: host, code: failure.code, detail: failure.message)))
    }
}

extension CapturePurpose {
    /// Whether it is taken at a gate; such captures leave the head of the record with the host.
    fileprivate var isGate: Bool { if case .boundary = self { true } else { false } }
}

extension PreflightFacts {
    init(_ found: PreflightReply, of agent: HelloReply, at now: WallTime, releaseDifferences: [String]) {
        self.init(
            agent: agent.identity, agentVersion: agent.agentVersion, bootID: agent.bootID, hostTime: found.hostTime,
            coordinatorTime: now,
            freeDiskMebibytes: found.freeDiskMebibytes, missingScripts: found.missingScripts,
            missingPaths: found.missingPaths, differingPaths: found.differingPaths,
            releaseDifferences: releaseDifferences, exposedPaths: found.exposedPaths ?? [])
    }
}

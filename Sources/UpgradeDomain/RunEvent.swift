/// A fact about one run. Past tense, append-only, hash-chained by the ledger. Decisions are derived from facts.
package enum RunEvent: Codable, Hashable, Sendable {
    /// Always the first: what is executed, on which hosts, and whose approvals it uses.
    case runStarted(RunDefinition)
    /// A coordinator took the lease and drives from here. Deadlines and soaks start again from zero.
    case driverAttached(Driver)
    /// A coordinator released the run on purpose. Operations in flight continue without it.
    case driverDetached(reason: String)
    case requested(Request)
    case preflightRecorded(PreflightRecord)
    case captured(CaptureRecord)
    case operationIntended(OperationIntent)
    /// An intent that was never sent and never will be.
    case operationWithdrawn(id: OperationID, reason: String)
    /// The agent holds the intent in its journal.
    case operationStarted(id: OperationID)
    /// The message may or may not have arrived; the operation must be settled.
    case operationUncertain(id: OperationID, detail: String)
    case operationEnded(OperationRecord)
    /// After the change the host was reached over a new connection, so it keeps the change.
    case operationConfirmed(id: OperationID)
    /// The change was not confirmed in time, so the host ran its rollback by itself. The record describes the rollback.
    case operationReverted(id: OperationID, record: OperationRecord)
    /// The agent refuses this ID forever: it never ran and never will.
    case operationTombstoned(id: OperationID)
    /// The placement stayed healthy for its whole soak.
    case placementSoaked(placement: Placement, attempt: Int)
    case deadlinePassed(DeadlineRecord)
    /// For a while the placements were not observed. Soaks, and the deadlines of what is watched, start again from
    /// zero.
    case watchInterrupted(WatchInterruption)
    /// The host could not be reached, or it is no longer the same host.
    case hostLost(HostLoss)
    /// The run waits for an approval before it changes anything more.
    case approvalAwaited(ApprovalWait)
    /// The raw answers behind the evidence of a closed run were deleted. The verdicts based on them stay.
    case evidencePruned(EvidencePruning)
}

/// An event as the ledger recorded it.
package struct RecordedEvent: Codable, Hashable, Sendable {
    /// From 1, without gaps, per run.
    package var sequence: UInt64
    package var recordedAt: WallTime
    package var event: RunEvent
    /// The chain's hash up to and including this event.
    package var hash: Digest

    package init(sequence: UInt64, recordedAt: WallTime, event: RunEvent, hash: Digest) {
        self.sequence = sequence
        self.recordedAt = recordedAt
        self.event = event
        self.hash = hash
    }
}

/// What a run executes, frozen at its start.
package struct RunDefinition: Codable, Hashable, Sendable {
    package var run: RunID
    package var ledger: LedgerID
    package var plan: Plan
    package var planDigest: Digest
    /// The selected hosts in inventory order, without exclusions, with their pinned keys.
    package var hosts: [Host]
    package var hostsDigest: Digest
    package var approvals: [Approval]
    /// The owners of each layer of the plan, from the inventory.
    package var owners: [LayerName: [Owner]]
    package var succession: Succession?
    /// By whose signatures it goes; nil where claims count.
    package var authority: RunAuthority?

    package init(
        run: RunID, ledger: LedgerID, plan: Plan, planDigest: Digest, hosts: [Host], hostsDigest: Digest,
        approvals: [Approval], owners: [LayerName: [Owner]] = [:], succession: Succession? = nil,
        authority: RunAuthority? = nil
    ) {
        self.run = run
        self.ledger = ledger
        self.plan = plan
        self.planDigest = planDigest
        self.hosts = hosts
        self.hostsDigest = hostsDigest
        self.approvals = approvals
        self.owners = owners
        self.succession = succession
        self.authority = authority
    }

    package func host(_ name: HostName) -> Host? { hosts.first { $0.name == name } }

    /// The hosts of a layer, in inventory order.
    package func hostNames(in layer: LayerName) -> [HostName] {
        hosts.filter { host in host.placements.contains { $0.layer == layer } }.map(\.name)
    }
}

/// What a run inherits from the run that it supersedes.
package struct Succession: Codable, Hashable, Sendable {
    package var predecessor: RunID
    package var baselines: [EvidenceSubject: Capture]
    /// The highest attempt of each placement that the predecessor touched.
    package var attempts: [Placement: Int]

    package init(predecessor: RunID, baselines: [EvidenceSubject: Capture], attempts: [Placement: Int]) {
        self.predecessor = predecessor
        self.baselines = baselines
        self.attempts = attempts
    }
}

/// The driver of a run: one lease, one epoch.
package struct Driver: Codable, Hashable, Sendable {
    package var epoch: Epoch
    package var user: String
    package var machine: String
    package var processID: Int32
    /// The build it ran; nil in runs from before this was recorded.
    package var build: CoordinatorBuild?

    package init(epoch: Epoch, user: String, machine: String, processID: Int32, build: CoordinatorBuild? = nil) {
        self.epoch = epoch
        self.user = user
        self.machine = machine
        self.processID = processID
        self.build = build
    }
}

/// A build of the coordinator, and the agents it can talk to.
package struct CoordinatorBuild: Codable, Hashable, Sendable {
    /// Such as `0.1.0`.
    package var version: String
    /// The agent protocol versions that it speaks, best first.
    package var protocols: [Int]

    package init(version: String, protocols: [Int]) {
        self.version = version
        self.protocols = protocols
    }
}

/// An operator's request. It may be appended without holding the lease.
package struct Request: Codable, Hashable, Sendable {
    package var action: RequestedAction
    /// The operating-system user who asked.
    package var by: String
    package var reason: String?

    package init(action: RequestedAction, by: String, reason: String? = nil) {
        self.action = action
        self.by = by
        self.reason = reason
    }
}

/// What an operator can request from a run. Recorded only if the engine accepts it.
package enum RequestedAction: Codable, Hashable, Sendable {
    case pause
    case resume
    case abort
    /// `breakGlass` names the owner who lets the rollback ignore guardrails that refuse it.
    case rollback(scope: RollbackScope, breakGlass: Owner?)
    /// Someone repaired the host: capture and compare the full family again.
    case recheck(host: HostName)
    /// Run the failed step of a host again. If its steps have passed and their verification has not, run every step
    /// from `from` on (nil is the last). `signedOffBy` is needed unless each step is declared idempotent.
    case rerun(host: HostName, signedOffBy: Owner?, from: StepName? = nil)
    /// The lower layers may roll back although these hosts of a higher layer are not verified.
    case signOff(hosts: [HostName], owner: Owner)
    case rebind(host: HostName, address: String, port: Int, hostKeys: [HostKey])
    case retire(host: HostName, owner: Owner)
    case finalize
    /// The run changed nothing and never will; its hosts are free.
    case cancel
    case supersede(by: RunID)
    /// An owner's approval for one recovery, given before it or together with it.
    case approveRecovery(RecoveryApproval)
    /// A statement that was given after the run began, or a new version of the policy.
    case present(SignedStatement)
}

/// What to roll back: a host, a layer, or everything that the run touched.
package enum RollbackScope: Codable, Hashable, Sendable {
    case host(name: HostName)
    case layer(name: LayerName)
    case all
}

/// What preflight learned of one host.
package struct PreflightRecord: Codable, Hashable, Sendable {
    package var host: HostName
    package var agent: AgentIdentity
    /// The version of the agent program; nil in records from older coordinators.
    package var agentVersion: String?
    /// The kernel's boot id; a change means a reboot.
    package var bootID: String
    /// The host's wall clock minus the coordinator's.
    package var clockOffsetMilliseconds: Int64
    package var freeDiskMebibytes: Int64
    /// Empty if the host may take part.
    package var problems: [PreflightProblem]
    /// Which of the commands' paths accounts other than root and the agent's can write, and who; nil for none.
    package var exposedPaths: [String]?

    package init(
        host: HostName, agent: AgentIdentity, agentVersion: String? = nil, bootID: String,
        clockOffsetMilliseconds: Int64, freeDiskMebibytes: Int64, problems: [PreflightProblem],
        exposedPaths: [String]? = nil
    ) {
        self.host = host
        self.agent = agent
        self.agentVersion = agentVersion
        self.bootID = bootID
        self.clockOffsetMilliseconds = clockOffsetMilliseconds
        self.freeDiskMebibytes = freeDiskMebibytes
        self.problems = problems
        self.exposedPaths = exposedPaths
    }
}

/// Why a host may not take part, found before anything changes.
package struct PreflightProblem: Codable, Hashable, Sendable {
    package var code: HoldCode
    package var detail: String

    package init(code: HoldCode, detail: String) {
        self.code = code
        self.detail = detail
    }
}

/// A capture and what it was taken for.
package struct CaptureRecord: Codable, Hashable, Sendable {
    package var purpose: CapturePurpose
    package var capture: Capture
    /// The last event that was known when the capture was ordered. The capture says nothing about later events.
    package var orderedAfter: UInt64
    /// The verdict on this capture, judged as the next event after the one before it. Nil if nothing was waiting for
    /// it, if nothing is judged (``CapturePurpose/postFailure``, ``CapturePurpose/beforeRollback(attempt:)``), and in
    /// records from builds that stored none.
    package var verdict: RecordedVerdict?

    package init(
        purpose: CapturePurpose, capture: Capture, orderedAfter: UInt64, verdict: RecordedVerdict? = nil
    ) {
        self.purpose = purpose
        self.capture = capture
        self.orderedAfter = orderedAfter
        self.verdict = verdict
    }
}

/// Why evidence was taken.
package enum CapturePurpose: Codable, Hashable, Sendable {
    case baseline
    /// Right before a placement changes.
    case drift(attempt: Int)
    /// Warm-up and soak samples after a change.
    case verification(attempt: Int)
    /// At a batch, at a layer or at the end.
    case boundary(Boundary)
    /// The state of the host when its boundary failed.
    case postFailure
    case beforeRollback(attempt: Int)
    case rollbackVerification(attempt: Int)
    /// Everything was rolled back: capture the placements once more, plus the layer and fleet evidence.
    case rollbackProof
    case recheck
    /// After a restart: are the earlier results still true?
    case reproof(epoch: Epoch)
}

/// A wait that took too long.
package struct DeadlineRecord: Codable, Hashable, Sendable {
    /// What was waited for.
    package enum Kind: String, Codable, Hashable, Sendable {
        case healthy, progress, rollbackHealthy
        /// The first change, before the end of an approval.
        case approval
    }
    package var kind: Kind
    package var placement: Placement
    package var waitedSeconds: Int
    /// What was missing, such as the first unhealthy item.
    package var waitingFor: String

    package init(kind: Kind, placement: Placement, waitedSeconds: Int, waitingFor: String) {
        self.kind = kind
        self.placement = placement
        self.waitedSeconds = waitedSeconds
        self.waitingFor = waitingFor
    }
}

/// A period without observation, longer than the normal time between two captures of a placement.
package struct WatchInterruption: Codable, Hashable, Sendable {
    /// The placement that was not observed; nil if the driver itself was stopped and so observed nothing.
    package var placement: Placement?
    package var seconds: Int

    package init(placement: Placement?, seconds: Int) {
        self.placement = placement
        self.seconds = seconds
    }
}

/// A host that cannot take part until someone acts.
package struct HostLoss: Codable, Hashable, Sendable {
    package var host: HostName
    package var code: HoldCode
    package var detail: String

    package init(host: HostName, code: HoldCode, detail: String) {
        self.host = host
        self.code = code
        self.detail = detail
    }
}

/// What raw evidence of a run was deleted, by whom and why.
package struct EvidencePruning: Codable, Hashable, Sendable {
    package var by: String
    package var reason: String
    package var answers: Int
    package var bytes: Int64

    package init(by: String, reason: String, answers: Int, bytes: Int64) {
        self.by = by
        self.reason = reason
        self.answers = answers
        self.bytes = bytes
    }
}

extension RunEvent {
    /// The stored word for the kind of event; also the only key of its JSON.
    package var kind: String {
        switch self {
        case .runStarted: "runStarted"
        case .driverAttached: "driverAttached"
        case .driverDetached: "driverDetached"
        case .requested: "requested"
        case .preflightRecorded: "preflightRecorded"
        case .captured: "captured"
        case .operationIntended: "operationIntended"
        case .operationWithdrawn: "operationWithdrawn"
        case .operationStarted: "operationStarted"
        case .operationUncertain: "operationUncertain"
        case .operationEnded: "operationEnded"
        case .operationConfirmed: "operationConfirmed"
        case .operationReverted: "operationReverted"
        case .operationTombstoned: "operationTombstoned"
        case .placementSoaked: "placementSoaked"
        case .deadlinePassed: "deadlinePassed"
        case .watchInterrupted: "watchInterrupted"
        case .hostLost: "hostLost"
        case .approvalAwaited: "approvalAwaited"
        case .evidencePruned: "evidencePruned"
        }
    }
}

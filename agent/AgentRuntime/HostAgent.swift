package import AgentProtocol
import Failpoints
package import UpgradeDomain

/// Answers the requests that read or change the agent's memory of its host. Each is one short exclusive change.
package struct HostAgent: Sendable {
    package let state: StateFolder
    package var journal: OperationJournal { OperationJournal(state: state) }

    package init(state: StateFolder) { self.state = state }

    /// Records the owner and epoch before it admits a session that drives.
    func hello(_ hello: HelloRequest, session: inout Session) throws(Refusal) -> HelloReply {
        let version = try Session.protocolVersion(with: hello)
        let (identity, fence) = try state.exclusively { () throws(Refusal) -> (AgentIdentity, HostFence) in
            let identity = try state.identity()
            var fence = try state.fence()
            switch try logged(
                hello.ledger, hello.epoch, { () throws(Refusal) in try Session.judge(hello, fence: fence) })
            {
            case .read: break
            case .drive(let admitted):
                if admitted != fence { try state.record(admitted) }
                Failpoint.fenceRecorded.pass()
                fence = admitted
            }
            return (identity, fence)
        }
        session.admit(hello, speaking: version)
        return HelloReply(
            protocolVersion: version, agentVersion: LockflightVersion.current, identity: identity,
            owner: fence.owner, highestEpoch: fence.highestEpoch, token: version >= 2 ? fence.token : nil,
            bootID: state.machine.bootID,
            architecture: AgentProgram.architecture, hostTime: state.machine.wallTime)
    }

    /// Checks, right before a change, that a session is still the newest one that drives the host.
    private func requireNewest(_ driver: Session.Driver) throws(Refusal) {
        let fence = try state.fence()
        try logged(driver.ledger, driver.epoch) { () throws(Refusal) in
            try fence.check(driver)
        }
    }

    /// Writes a line on the host about a coordinator that is refused.
    private func logged<Result>(
        _ ledger: LedgerID, _ epoch: Epoch?, _ judge: () throws(Refusal) -> Result
    ) throws(Refusal) -> Result {
        do throws(Refusal) {
            return try judge()
        } catch {
            if let epoch, [.staleEpoch, .ownedElsewhere].contains(error.code) {
                RefusalLog(in: state.folder).add(error, ledger: ledger, epoch: epoch, at: state.machine.wallTime)
            }
            throw error
        }
    }

    /// Makes the intent durable and hands it to a detached supervisor.
    ///
    /// The order is the guarantee: fence, ID, lock, quiet host, room and intent on disk, and only then a process. If
    /// the agent dies after the intent, the operation reads *interrupted*; before it, the ID is still unknown.
    ///
    /// - Returns: the supervisor's pid, to be reaped; nil if this same operation was started before.
    func start(_ request: StartRequest, session: Session) throws(Refusal) -> Int32? {
        let driver = try session.driver()
        return try state.exclusively { () throws(Refusal) -> Int32? in
            try requireNewest(driver)
            let id = request.intent.id
            guard request.intent.epoch == driver.epoch else {
                throw Refusal(.staleEpoch, "the intent's epoch \(request.intent.epoch) is not the session's")
            }
            switch try journal.concluded(id) {
            case .unknown: break
            case .tombstoned:
                throw Refusal(.operationSeen, "operation \(id) was settled as never run; it can not start")
            case .running(let journaled), .ended(let journaled, _), .lost(let journaled, _):
                guard journaled.request.isRepeated(by: request) else {
                    throw Refusal(.operationSeen, "operation \(id) was begun with another request; its id is taken")
                }
                return nil
            }
            let start = try state.machine.startSupervisor(
                of: journal.folder(of: id), in: state.folder, lockPath: state.mutationLockPath,
                waitsForLeaving: try journal.lastHasEnded()
            ) { () throws(Refusal) in
                try journal.requireQuietHost()
                try journal.collectGarbage(for: request.run)
                try journal.record(
                    JournaledIntent(
                        request: request, bootID: state.machine.bootID, begunAt: state.machine.wallTime))
                Failpoint.intentJournaled.pass()
            }
            Failpoint.supervisorStarted.pass()
            switch start {
            case .busy: throw Refusal(.busy, "another operation is running on this host; nothing was started")
            case .started(let pid): return pid
            case .failed(let reason):
                let outcome = OperationOutcome.notStarted(detail: "no supervisor could be started: \(reason)")
                try journal.conclude(OperationRecord(id: id, outcome: outcome))
                return nil
            }
        }
    }

    /// Settles an operation permanently: returns its record, that it is running, or a tombstone.
    func settle(_ id: OperationID, session: Session) throws(Refusal) -> AgentReply {
        let driver = try session.driver()
        return try state.exclusively { () throws(Refusal) -> AgentReply in
            try requireNewest(driver)
            switch try journal.concluded(id) {
            case .ended(_, let record): return .ended(record)
            case .running, .lost: return .running(id: id)
            case .tombstoned: return .tombstoned(id: id)
            case .unknown:
                try journal.tombstone(id)
                Failpoint.tombstoneWritten.pass()
                return .tombstoned(id: id)
            }
        }
    }

    /// Accepts a confirmation that a change's host can still be reached, unless its rollback has begun.
    ///
    /// The session must be newer than the end of the change: a connection from before it says nothing about the host
    /// after the change. The decision is durable and final.
    func confirm(_ id: OperationID, session: Session) throws(Refusal) -> AgentReply {
        let driver = try session.driver()
        return try state.exclusively { () throws(Refusal) -> AgentReply in
            try requireNewest(driver)
            switch try journal.concluded(id) {
            case .unknown: throw Refusal(.unknownOperation, "operation \(id) is not in this host's journal")
            case .tombstoned: return .tombstoned(id: id)
            case .running, .lost: return .running(id: id)
            case .ended(let intent, _):
                guard let revert = intent.request.intent.revert else { return .confirmed(id: id) }
                let awaited = try journal.folder(of: id).value(AwaitedConfirmation.self, of: "awaiting.json")
                if let awaited, awaited.bootID == state.machine.bootID, session.begunAt < awaited.endedAt {
                    throw Refusal(
                        .notNewer, "this connection is older than the end of \(id); confirm it over a new one")
                }
                let decision = try journal.decide(.confirmed, on: id)
                Failpoint.confirmationDecided.pass()
                switch decision {
                case .confirmed: return .confirmed(id: id)
                case .reverting: return .running(id: revert.id)
                }
            }
        }
    }

    /// Stores the head of a run's chain that came with a capture. On a full disk the previous head stays, because
    /// evidence is captured there too.
    func keep(_ head: RunHead, session: Session) throws(Refusal) {
        let driver = try session.driver()
        try state.exclusively { () throws(Refusal) in
            try requireNewest(driver)
            do throws(Refusal) {
                try RunHeads(in: state).keep(head)
            } catch  where error.code == .diskFull {}
        }
    }

    func listJournal(session: Session) throws(Refusal) -> JournalReply {
        try state.exclusively { () throws(Refusal) in
            let heads = session.protocolVersion < 2 ? [] : try RunHeads(in: state).all()
            return JournalReply(entries: try journal.entries(), heads: heads.isEmpty ? nil : heads)
        }
    }

    /// What an attached session gets in one read: output that is new to it, and the end if there is one.
    package struct Look: Sendable {
        package var output: [OutputReply] = []
        /// Whether more output may be written.
        var isRunning = false
        package var end: AgentReply?
        /// No more output is sent before it has ended: its secrets must be masked first, or the protocol version cannot
        /// express the gap.
        package var isHeldBack = false
    }

    /// Reads an operation from an offset on, at most ``AgentLimits/slicesPerLook`` slices at once.
    ///
    /// - Parameter version: of the protocol. Before 3 a gap cannot be expressed, so the output ends there.
    package func look(at id: OperationID, fromByte: Int64, speaking version: Int) throws(Refusal) -> Look {
        // Read before the output, so that everything an ended operation wrote is included.
        let standing = try state.exclusively { () throws(Refusal) in try journal.concluded(id) }
        var look = Look()
        switch standing {
        case .unknown: throw Refusal(.unknownOperation, "operation \(id) is not in this host's journal")
        case .tombstoned: return Look(end: .tombstoned(id: id))
        case .running(let intent), .lost(let intent, _):
            if intent.request.secretFiles != nil { return Look(isRunning: true, isHeldBack: true) }
            look.isRunning = true
        case .ended: break
        }
        let output = OutputFile(in: journal.folder(of: id))
        var position = fromByte
        while look.output.count < AgentLimits.slicesPerLook {
            let slice = try output.slice(fromByte: position, limitBytes: ProtocolLimits.outputSliceBytes)
            let dropped = slice.fromByte - position
            let end = slice.fromByte + Int64(slice.bytes.count)
            look.isHeldBack = version < 3 && (dropped > 0 || end > ProtocolLimits.operationOutputBytes)
            if slice.bytes.isEmpty || look.isHeldBack {
                if case .ended(_, let record) = standing { look.end = .ended(record) }
                break
            }
            look.output.append(
                OutputReply(
                    operation: id, fromByte: slice.fromByte, bytes: Bytes(slice.bytes),
                    droppedBytes: dropped > 0 ? dropped : nil))
            position = end
        }
        return look
    }

    /// Streams an operation's output until it has ended, or only what exists now if the request does not follow. Output
    /// is sent as it arrives while its size is within the limit of what is kept; the kept part of the rest is sent at
    /// its end. `isWanted` becomes false when there is no reader any more.
    func attach(
        _ request: AttachRequest, session: Session, isWanted: () -> Bool, send: (AgentReply) -> Void
    ) throws(Refusal) -> AgentReply? {
        var (position, sentBytes) = (request.fromByte, Int64(0))
        while true {
            let look = try look(at: request.operation, fromByte: position, speaking: session.protocolVersion)
            let isFull = sentBytes >= ProtocolLimits.operationOutputBytes && look.isRunning
            for slice in look.output where !isFull && isWanted() {
                send(.output(slice))
                position = slice.fromByte + Int64(slice.bytes.elements.count)
                sentBytes += Int64(slice.bytes.elements.count)
            }
            if let end = look.end { return end }
            if request.follows == false, look.output.count < AgentLimits.slicesPerLook || isFull {
                return .running(id: request.operation)
            }
            waitForMore(
                in: journal.folder(of: request.operation), from: look.isHeldBack || isFull ? nil : position,
                isWanted: isWanted)
            guard isWanted() else { return nil }
        }
    }

    /// Waits for output or a record, but checks at least once per hand-over time whether the supervisor is alive.
    ///
    /// - Parameter position: of the first new byte of output; nil waits only for the record.
    private func waitForMore(in folder: Folder, from position: Int64?, isWanted: () -> Bool) {
        let output = OutputFile(in: folder)
        let deadline = Deadline(after: AgentLimits.livenessInterval)
        while isWanted(), !deadline.hasPassed, output.endByte <= position ?? .max, !folder.contains("result.json") {
            pauseBeforeNextLook()
        }
    }
}

import AgentProtocol
import Ledger
import RolloutEngine
import RunRecord
import RunViews
import UpgradeDomain

/// The person at the terminal: starts coordinators, answers failed boundaries, and repairs what is broken.
extension World {
    /// The faults stop after this much virtual time, if the run has not ended before.
    static let faultsMilliseconds: Int64 = 400_000
    /// How many actions a person may take before a run without faults must have ended.
    static let actionsWithoutFaults = 40
    /// The whole ledger is verified once in this many seeds.
    static let verifiedEvery: UInt64 = 5

    /// Runs the whole seed.
    /// - Throws: the first violation.
    func live() throws {
        trace("by \(approvals.basis), hold points: \(approvals.holdPoints.map(\.spelled).joined(separator: ", "))")
        start(takingOver: false)
        var actionsLeft = World.actionsWithoutFaults
        var isOver = false
        while !isOver, checker.violation == nil {
            guard time.steps < World.stepLimit else {
                checker.require(false, "the run ends or rests within \(World.stepLimit) steps")
                break
            }
            if faults.isOn, time.now > World.faultsMilliseconds { endFaults() }
            if nodes.allSatisfy(\.hasEnded) {
                isOver = act(&actionsLeft)
            } else if !time.step() {
                checker.require(false, "a living coordinator has something to wait for")
            }
        }
        conclude()
        if let violation = checker.violation { throw violation }
    }

    func start(takingOver: Bool) {
        if takingOver, nodes.contains(where: { !$0.hasEnded }) { sometimes(.twoCoordinators) }
        let node = CoordinatorNode(nodes.count + 1, in: self)
        trace("node \(node.number) starts\(takingOver ? ", taking over" : "")")
        nodes.append(node)
        Task { await node.live(takingOver: takingOver) }
        time.drainJobs()
    }

    /// What a person does next when there is no driver. Returns true when nothing is left to do.
    private func act(_ actionsLeft: inout Int) -> Bool {
        // Some time passes before a person acts.
        var looks = false
        time.after(delay(500...20_000)) { looks = true }
        while !looks, checker.violation == nil { _ = time.step() }
        guard let state = fold() else { return true }
        if state.isClosed { return true }
        adoptCopied()
        if recordIsBroken { return quarantine(&actionsLeft) }
        if !state.isAtRest {
            start(takingOver: false)
            return false
        }
        if faults.isOn, state.isAtItsEnd { endFaults() }
        if !faults.isOn {
            actionsLeft -= 1
            checker.require(
                actionsLeft > 0,
                "without faults a run ends within \(World.actionsWithoutFaults) actions: \(state.status)")
            // Operations in flight are settled first, because otherwise the run could never be ended.
            if state.isAtItsEnd, openOperations(of: state).isEmpty { return finish(state) }
        }
        // The last record may be outdated: a driver settles the operations and reports what is left.
        guard let action = choose(state), ask(action, of: state) else {
            start(takingOver: false)
            time.drainJobs()
            while nodes.contains(where: { !$0.hasEnded }), time.step(), checker.violation == nil {}
            return false
        }
        start(takingOver: false)
        return false
    }

    /// The placements of hosts that still take part.
    private func openOperations(of state: RolloutState) -> Set<OperationID> {
        state.openOperations.filter { id in
            state.operations[id].map { !retired.contains($0.intent.placement.host) } ?? false
        }
    }

    private func finish(_ state: RolloutState) -> Bool {
        var state = state
        if !state.openOverrides.isEmpty {
            people.acknowledge(state)
            state = fold() ?? state
        }
        guard state.refusal(of: .finalize) == nil else { return true }
        if ask(.finalize, of: state) { sometimes(.finalized) }
        return true
    }

    /// Takes one of the options that the boundary's record offers.
    private func choose(_ state: RolloutState) -> RequestedAction? {
        if state.isPaused, !state.isHeld { return .resume }
        guard let options = state.boundaryRecord?.options, !options.isEmpty else {
            checker.require(!state.isHeld, "a held run names what can be done: \(state.status)")
            return nil
        }
        // Without faults the widest rollback ends the run sooner or later.
        let option = faults.isOn || generator.chance(70) ? generator.pick(from: options) : options[0]
        switch option {
        case .resume:
            if generator.chance(60) { mendServices() }
            return .resume
        case .recheck(let host):
            if generator.chance(70) { repair(host) }
            return .recheck(host: host)
        case .rerun(let host, let steps, _):
            let first = state.plan.layers.first { layer in layer.steps.contains { $0.name == steps[0] } }?.steps.first?
                .name
            let signedOffBy = approvals.isSigned ? nil : owner(of: host)
            return .rerun(host: host, signedOffBy: signedOffBy, from: generator.chance(30) ? first : nil)
        case .rollback(let scope):
            let breaksGlass = approvals.isSigned && generator.chance(15)
            return .rollback(scope: scope, breakGlass: breaksGlass ? SimulatedApprovals.onCall : nil)
        case .signOff(let hosts): return owner(of: hosts[0]).map { .signOff(hosts: hosts, owner: $0) }
        case .retire(let host):
            guard generator.chance(20) else { return .recheck(host: host) }
            return owner(of: host).map { .retire(host: host, owner: $0) }
        case .cancel:
            guard generator.chance(30) else { return state.refusal(of: .resume) == nil ? .resume : nil }
            return .cancel
        }
    }

    /// Sets a run with an unreadable record aside and asks its hosts until all are free. Returns true when they are.
    private func quarantine(_ actionsLeft: inout Int) -> Bool {
        guard let claimed = try? ledger.assumeIsolated({ try $0.claimedHosts(of: World.run) }), !claimed.isEmpty else {
            return true
        }
        if !faults.isOn {
            actionsLeft -= 1
            checker.require(
                actionsLeft > 0, "without faults a quarantine frees its hosts: \(claimed.map(\.rawValue)) are claimed")
        }
        startQuarantine()
        time.drainJobs()
        return false
    }

    func startQuarantine() {
        let node = CoordinatorNode(nodes.count + 1, in: self)
        trace("node \(node.number) quarantines")
        nodes.append(node)
        Task { await node.quarantine() }
    }

    /// Sooner or later somebody notices the copy, and an owner takes its hosts back.
    private func adoptCopied() {
        for name in copied.sorted() where !faults.isOn || generator.chance(40) {
            guard let host = hosts[name], let seen = fence(of: host), let owner = owner(of: name),
                let fence = try? ledger.assumeIsolated({
                    try $0.adopt(name, from: $0.id, seen, as: owner, reason: "simulated", by: "op", at: wall)
                })
            else { continue }
            greet(
                host, HelloRequest(ledger: ledger.id, epoch: fence.epoch, token: fence.token, takeOver: true))
            guard self.fence(of: host) == fence.epoch else { continue }
            copied.remove(name)
            sometimes(.adopted)
        }
    }

    private func owner(of host: HostName) -> Owner? {
        placements(of: host).last.flatMap { definition.owners[$0.layer]?.first }
    }

    /// Someone repairs a host by hand: every touched placement runs its target.
    private func repair(_ name: HostName) {
        guard let host = hosts[name], let state = fold(), host.scripts.isEmpty else { return }
        for placement in placements(of: name) {
            guard let own = state.placements[placement] else { continue }
            host.truth[placement.layer] = Truth(version: own.touched ? "2" : "1")
        }
    }

    /// Someone restarts the stopped services.
    func mendServices() {
        for host in hosts.values {
            for (layer, truth) in host.truth where truth.version != "between" { host.truth[layer]?.isHealthy = true }
        }
    }

    private func ask(_ action: RequestedAction, of state: RolloutState) -> Bool {
        let request = Request(action: action, by: "op", reason: "simulated")
        var state = state
        if !recordIsBroken, people.sign(for: request, of: state) {
            state = fold() ?? state
            if state.refusal(of: request, at: wall) == nil { sometimes(.signedRecovery) }
        }
        guard state.refusal(of: request, at: wall) == nil, record(action, after: state) else { return false }
        switch action {
        case .recheck: sometimes(.recheck)
        case .rerun(_, _, from: nil): sometimes(.rerun)
        case .rerun: sometimes(.rerunFromAStep)
        case .rollback: sometimes(.rollback)
        case .resume: sometimes(.resumed)
        case .pause: sometimes(.paused)
        case .abort: sometimes(.aborted)
        case .retire: sometimes(.retire)
        case .cancel: sometimes(.cancelled)
        case .signOff, .rebind, .finalize, .supersede, .approveRecovery, .present: break
        }
        return true
    }

    /// Records a request, whether or not it would be refused.
    ///
    /// - Parameter grants: what people truly permit by it.
    func record(_ action: RequestedAction, after state: RolloutState, granting grants: [Grant] = []) -> Bool {
        guard !recordIsBroken,
            let recorded = try? ledger.assumeIsolated({
                try $0.append(
                    [.requested(Request(action: action, by: "op", reason: "simulated"))], to: World.run,
                    after: state.sequence, lease: nil, at: wall, followedBy: OverviewKeeper(at: state))
            })
        else { return false }
        permissions.take(grants)
        if case .retire(let host, _) = action { retired.insert(host) }
        checker.appended(recorded)
        return true
    }

    /// What the clock of the person's machine says, which is right.
    var wall: WallTime { WallTime(clamping: World.epochMilliseconds + time.now) }

    /// Acts from a second terminal while a coordinator drives.
    func interfere(_ what: Int) {
        guard let state = fold(), !state.isClosed else { return }
        _ = ask([.pause, .abort, .rollback(scope: .all, breakGlass: nil), .cancel][what], of: state)
        time.after(delay(5_000...30_000)) { [weak self] in
            guard let self, !isOver, let state = fold(), state.isPaused else { return }
            _ = ask(.resume, of: state)
        }
    }

    /// Checks what must be true at the end.
    private func conclude() {
        isOver = true
        // After a violation a fault must not start another driver, which could wait for an approval for ever.
        faults.isOn = false
        for node in nodes { node.die() }
        network.loseAll()
        while time.step() {}
        guard checker.violation == nil, let state = foldOfLedger() else { return }
        checkRecord()
        checker.require(
            (try? ledger.assumeIsolated { try $0.currentDriver(of: World.run) }) == .some(nil), "the lease is free")
        if seed % World.verifiedEvery == 0, let verification = try? ledger.assumeIsolated({ try $0.verify() }) {
            checker.require(verification.isSound, "the ledger verifies: \(verification)")
        }
        if checker.isQuarantined {
            let busy = hosts.values.filter { $0.supervisor != nil }.map(\.name.rawValue)
            return checker.require(busy.isEmpty, "nothing is under way where a quarantined run was: \(busy)")
        }
        let open = openOperations(of: state)
        checker.require(open.isEmpty, "nothing stays in flight: \(open.sorted().map(\.rawValue))")
        checker.require(state.isAtItsEnd, "the run has ended: \(state.status)")
    }

    /// What was permitted is found again in the record alone, and so is the first statement that counts for nothing.
    private func checkRecord() {
        guard approvals.basis != .claims || seed % World.verifiedEvery == 0 else { return }
        let fault = RolloutState.permissionFault(in: checker.events)
        checker.require(
            fault?.sequence == people.firstWrong,
            "the record shows what nobody permitted, at \(people.firstWrong.map(String.init) ?? "no event"): "
                + (fault.map { "\($0.sequence), \($0.message)" } ?? "nothing"))
    }
}

extension RolloutState {
    /// Whether nothing is left to do: the run succeeded, was rolled back, or was abandoned with every host that may
    /// still be wrong retired.
    var isAtItsEnd: Bool {
        switch status {
        case .verified, .verifiedExcept, .finalized, .cancelled, .superseded, .aborted, .rolledBack(.verified): true
        // Only a retired host may be wrong then, and an aborted run does not offer to go on.
        case .rolledBack where unresolvedFailures.isEmpty: true
        case .rolledBack where isAborted && unresolvedFailures.allSatisfy { $0.host == nil }: true
        case .preflight, .baseline, .changing, .proving, .awaitingApproval, .paused, .held, .rollingBack, .rolledBack:
            false
        }
    }
}

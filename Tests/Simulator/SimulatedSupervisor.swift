import AgentProtocol
import AgentRuntime
import UpgradeDomain

/// Executes a real ``Supervision`` in virtual time, and applies its script to the host's true state.
final class SimulatedSupervisor {
    private unowned let host: SimulatedHost
    private let folder: Folder
    private let journaled: JournaledIntent
    private var supervision: Supervision
    private let begunAt: Int64
    private var awaited: RevertIntent?
    var isDead = false
    /// Whether it was killed by a fault or by a reboot.
    var wasKilled = false

    private var world: World { host.world }
    private var journal: OperationJournal { host.agent.journal }
    private var intent: OperationIntent { journaled.request.intent }

    /// - Parameter folder: the operation's folder, with its intent.
    init?(of folder: Folder, on host: SimulatedHost) {
        guard let journaled = try? folder.value(JournaledIntent.self, of: "intent.json") else { return nil }
        self.host = host
        self.folder = folder
        self.journaled = journaled
        supervision = Supervision(journaled.request)
        begunAt = host.world.time.now
    }

    func begin() { carryOut(supervision.begin()) }

    private func carryOut(_ action: Supervision.Action) {
        guard !isDead else { return }
        switch action {
        case .runGuardrail:
            world.time.after(world.delay(5...50)) { self.ended(.exited(code: 0)) }
        case .runCommand: runScript()
        case .record(let outcome):
            let record = OperationRecord(
                id: intent.id, outcome: outcome, startedAt: journaled.begunAt,
                durationMilliseconds: world.time.now - begunAt)
            do throws(Refusal) {
                try journal.concludeSupervised(record, of: journaled)
            } catch {
                return leave()
            }
            host.wakeSessions()
            expectDecision(after: outcome)
            carryOut(supervision.recorded())
        case .awaitConfirmation(let revert):
            awaited = revert
            world.time.after(Int64(revert.withinSeconds) * 1_000) { self.goBack() }
        case .leave: leave()
        }
    }

    private func ended(_ outcome: OperationOutcome) { if !isDead { carryOut(supervision.ended(outcome)) } }

    private func leave() {
        guard !isDead else { return }
        isDead = true
        host.replaceSupervisor(with: nil)
    }

    // MARK: The script

    private func runScript() {
        let process = ProcessIdentity(pid: host.newPID(), startTicks: host.startTicks)
        do throws(Refusal) {
            try folder.writeJSON("process.json", JournaledProcesses(bootID: host.bootID, script: process))
        } catch {
            return carryOut(supervision.failed(error.message))
        }
        host.begin(intent, as: process)
        let fate = world.fate(ofScriptOf: intent, on: host)
        let boot = host.bootID
        let layer = intent.placement.layer
        let changes = intent.action == .rollback || intent.action == .step(name: World.changingStep)
        let whole = world.delay(200...3_000)
        func whileItRuns(_ after: Int64, _ body: @escaping () -> Void) {
            world.time.after(after) { [host] in
                if host.bootID == boot, host.isUp { body() }
            }
        }
        if changes {
            whileItRuns(whole / 3) { [host] in
                if fate != .failsAtOnce { host.truth[layer] = Truth(version: "between", isHealthy: false) }
            }
        }
        whileItRuns(whole) { [self] in
            host.end(process)
            if changes { finish(fate, layer) }
            switch fate {
            case .passes, .leavesUnhealthy: ended(.exited(code: 0))
            case .fails, .failsAtOnce: ended(.exited(code: 3))
            case .timesOut: ended(.timedOut(survivors: false))
            }
        }
    }

    private func finish(_ fate: ScriptFate, _ layer: LayerName) {
        // The new version's rollback leaves the host where it is, and exits 0.
        let isKept = journaled.request.usesPreservedScript && host.hasKeptScripts
        let wayBack = isKept ? "1" : host.scriptsInPlace[layer] ?? "1"
        let reached: Version = intent.action == .rollback ? wayBack : "2"
        host.scriptsInPlace[layer] = reached
        switch fate {
        case .passes: host.truth[layer] = Truth(version: reached)
        case .leavesUnhealthy: host.truth[layer] = Truth(version: reached, isHealthy: false)
        case .fails, .failsAtOnce, .timesOut: break
        }
    }

    // MARK: Confirm or revert

    /// In every case a change is decided soon after its time is up, unless its supervisor was killed.
    private func expectDecision(after outcome: OperationOutcome) {
        guard let revert = intent.revert, outcome.isConfirmable else { return }
        world.time.after(Int64(revert.withinSeconds) * 1_000 + 2_000) { [self] in
            // On a full disk it is retried every second.
            guard !wasKilled, !host.disk.isFull, world.time.now - host.disk.lastFullAt > 2_000 else { return }
            let decision = try? journal.decision(on: intent.id)
            world.checker.require(decision != nil, "\(intent.id) is confirmed or taken back in time")
        }
    }

    /// Checks whether a session has decided.
    func noticeDecision() {
        guard awaited != nil, !isDead, (try? journal.decision(on: intent.id)) == .confirmed else { return }
        leave()
    }

    private func goBack() {
        guard let revert = awaited, !isDead else { return }
        do throws(Refusal) {
            try journal.beginRevert(of: journaled)
        } catch {
            world.time.after(1_000) { self.goBack() }
            return
        }
        guard (try? journal.decision(on: intent.id)) == .reverting,
            let next = SimulatedSupervisor(of: journal.folder(of: revert.id), on: host)
        else { return leave() }
        world.sometimes(.hostWentBackByItself)
        isDead = true
        host.replaceSupervisor(with: next)
        next.begin()
    }
}

/// How a script ends.
enum ScriptFate: Hashable {
    case passes
    /// Exits with 3 before it has changed anything.
    case failsAtOnce
    /// Exits with 3 and its work half done.
    case fails
    case timesOut
    /// Exits with 0 and leaves the placement unhealthy.
    case leavesUnhealthy
}

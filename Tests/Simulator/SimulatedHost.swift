import AgentProtocol
import AgentRuntime
import UpgradeDomain

/// The true state of a placement, regardless of any record.
struct Truth: Hashable {
    var version: Version = "1"
    var isHealthy = true
}

/// One machine: its disk and clock, the agent's real logic, supervisors and scripts that end in virtual time.
final class SimulatedHost: HostMachine, @unchecked Sendable {
    let name: HostName
    let disk = SimulatedDisk()
    unowned let world: World
    var truth: [LayerName: Truth]
    /// The version of the scripts in place: a change installs its own.
    var scriptsInPlace: [LayerName: Version] = [:]
    /// The version before the change.
    var hasKeptScripts = false
    var wallOffset: Int64 = 0
    private(set) var isUp = true
    private(set) var supervisor: SimulatedSupervisor?
    /// Scripts that have not ended, by pid; they may outlive their supervisor.
    private(set) var scripts: [Int32: OperationIntent] = [:]
    private(set) var sessions: [SimulatedSession] = []
    private var boot = 1
    private var bootedAt: Int64 = 0
    private var lastPID: Int32 = 100

    init(_ name: HostName, layers: [LayerName], in world: World) {
        self.name = name
        self.world = world
        truth = Dictionary(uniqueKeysWithValues: layers.map { ($0, Truth()) })
    }

    var agent: HostAgent { HostAgent(state: state) }
    var state: StateFolder { StateFolder(folder: Folder(path: "/state", disk: disk), machine: self) }

    // MARK: The machine, as the agent sees it

    var wallTime: WallTime { WallTime(clamping: World.epochMilliseconds + world.time.now + wallOffset) }
    var bootTime: BootTime { BootTime(milliseconds: world.time.now - bootedAt) }
    var bootID: String { "boot-\(boot)" }
    func newIdentity() -> String { "agent-\(name)" }

    func exclusively<Result>(
        _ lockPath: String, _ body: () throws(Refusal) -> Result
    ) throws(Refusal) -> Result { try body() }

    func supervisorLives(_ lockPath: String) throws(Refusal) -> Bool { supervisor != nil }

    func startSupervisor(
        of folder: Folder, in state: Folder, lockPath: String, waitsForLeaving: Bool,
        prepare: () throws(Refusal) -> Void
    ) throws(Refusal) -> SupervisorStart {
        guard supervisor == nil else { return .busy }
        try prepare()
        guard let next = SimulatedSupervisor(of: folder, on: self) else { return .failed("no intent") }
        supervisor = next
        world.time.after(world.delay(1...5)) { next.begin() }
        return .started(pid: newPID())
    }

    func isAlive(_ process: ProcessIdentity) -> Bool {
        process.startTicks == UInt64(boot) && scripts[process.pid] != nil
    }

    func hasLivingMember(groupOf leader: ProcessIdentity) -> Bool { isAlive(leader) }

    func newPID() -> Int32 {
        lastPID += 1
        return lastPID
    }

    // MARK: Sessions

    func open(_ reply: @escaping (ReplyFrame) -> Void) -> SimulatedSession {
        let session = SimulatedSession(on: self, reply: reply)
        sessions.append(session)
        return session
    }

    /// Notifies attached sessions that something happened.
    func wakeSessions() {
        sessions.removeAll { !$0.isOpen }
        for session in sessions { session.lookAtOperations() }
    }

    // MARK: Processes

    var startTicks: UInt64 { UInt64(boot) }

    func begin(_ script: OperationIntent, as process: ProcessIdentity) {
        scripts[process.pid] = script
        world.checker.scriptBegan(script, on: self)
    }

    func end(_ process: ProcessIdentity) {
        if let script = scripts.removeValue(forKey: process.pid) { world.checker.scriptIsOver(script, on: self) }
    }

    func replaceSupervisor(with next: SimulatedSupervisor?) {
        supervisor = next
        wakeSessions()
    }

    // MARK: Faults

    /// The supervisor dies at once; the script goes on.
    func killSupervisor() {
        guard let supervisor else { return }
        world.sometimes(.supervisorDied)
        supervisor.isDead = true
        supervisor.wasKilled = true
        self.supervisor = nil
        // An attached session checks from time to time whether the supervisor is alive.
        world.time.after(500) { [weak self] in self?.wakeSessions() }
    }

    /// Everything dies, and the host is down for a while. A change in progress stays half done.
    func reboot(downMilliseconds: Int64) {
        guard isUp else { return }
        isUp = false
        supervisor?.isDead = true
        supervisor?.wasKilled = true
        supervisor = nil
        for script in scripts.values { world.checker.scriptIsOver(script, on: self) }
        scripts = [:]
        for session in sessions { session.isOpen = false }
        sessions = []
        world.network.loseConnections(to: self)
        world.time.after(downMilliseconds) { [weak self] in
            guard let self else { return }
            boot += 1
            bootedAt = world.time.now
            isUp = true
        }
    }
}

/// One `serve` process.
final class SimulatedSession {
    private unowned let host: SimulatedHost
    private var conversation: Conversation
    private var splitter = LineSplitter()
    private var attachments: [(id: UInt32, operation: OperationID, fromByte: Int64)] = []
    private let reply: (ReplyFrame) -> Void
    var isOpen = true

    init(on host: SimulatedHost, reply: @escaping (ReplyFrame) -> Void) {
        self.host = host
        self.reply = reply
        conversation = Conversation(with: host.agent)
    }

    func receive(_ bytes: [UInt8]) {
        guard isOpen, host.isUp else { return }
        for line in splitter.receive(bytes) {
            guard let (id, step) = conversation.take(line) else { continue }
            switch step {
            case .reply(let answer), .supervise(_, let answer):
                if case .hello = answer { host.world.checker.sawFence(of: host) }
                send(id, answer)
            case .preflight(let request, _): send(id, .preflight(preflight(request)))
            case .capture(let request, _): capture(request, id)
            case .attach(let request, _):
                attachments.append((id, request.operation, request.fromByte))
                lookAtOperations()
            }
            host.supervisor?.noticeDecision()
        }
    }

    private func send(_ id: UInt32, _ answer: AgentReply) {
        if case .refused(let refusal) = answer {
            switch refusal.code {
            case .staleEpoch: host.world.sometimes(.staleEpochRefused)
            case .operationSeen: host.world.sometimes(.lateRequestRefused)
            case .diskFull: host.world.sometimes(.hostDiskFull)
            case .malformed, .unknownVerb, .helloFirst, .noCommonProtocol, .ownedElsewhere, .readOnly, .notNewer, .busy,
                .unknownOperation, .limitExceeded, .internalFailure:
                break
            }
        }
        if isOpen { reply(ReplyFrame(re: id, reply: answer)) }
    }

    private func preflight(_ request: PreflightRequest) -> PreflightReply {
        if request.keeps?.isEmpty == false, request.run != nil { host.hasKeptScripts = true }
        return PreflightReply(
            missingScripts: [], missingPaths: [], freeDiskMebibytes: host.disk.isFull ? 0 : 1_000,
            hostTime: host.wallTime)
    }

    private func capture(_ request: CaptureRequest, _ id: UInt32) {
        var pause: Int64 = 0
        for surface in request.surfaces {
            pause += host.world.delay(1...20)
            host.world.time.after(pause) { [weak self] in
                guard let self, isOpen, host.isUp else { return }
                send(id, .surface(answer(surface)))
            }
        }
        host.world.time.after(pause) { [weak self] in self?.send(id, .captured) }
    }

    private func answer(_ surface: SurfaceRequest) -> SurfaceReply {
        func reply(_ code: Int, _ body: String) -> SurfaceReply {
            SurfaceReply(
                name: surface.name, durationMilliseconds: 1, hostTime: host.wallTime, resultCode: code,
                body: Bytes(Array(body.utf8)), truncated: false, contentType: "application/json")
        }
        switch surface.source {
        case .http(let http):
            let parts = http.url.split(separator: "/").map(String.init)
            let layer = LayerName(parts[1])
            let truth = host.truth[layer] ?? Truth()
            host.world.sampled(Placement(host: host.name, layer: layer), truth.isHealthy)
            switch parts[2] {
            case "version": return reply(200, "{\"version\":\"\(truth.version)\"}")
            case "services": return reply(200, "{\"api\":\"\(truth.isHealthy ? "up" : "down")\"}")
            default: return reply(truth.isHealthy ? 200 : 503, "")
            }
        case .command, .runtime, .tcp, .unit, .container: return reply(0, "")
        }
    }

    /// Answers attachments as the agent's own loop does, one iteration at a time.
    func lookAtOperations() {
        var waiting = attachments
        attachments = []
        for index in waiting.indices.reversed() {
            do throws(Refusal) {
                let look = try host.agent.look(
                    at: waiting[index].operation, fromByte: waiting[index].fromByte,
                    speaking: ProtocolLimits.versions[0])
                for slice in look.output {
                    send(waiting[index].id, .output(slice))
                    waiting[index].fromByte = slice.fromByte + Int64(slice.bytes.elements.count)
                }
                guard let end = look.end else { continue }
                send(waiting[index].id, end)
            } catch {
                send(waiting[index].id, .refused(error))
            }
            waiting.remove(at: index)
        }
        attachments += waiting
    }
}

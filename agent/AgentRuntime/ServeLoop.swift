import AgentProtocol
import Glibc
import NIOPosix
import Synchronization
import UpgradeDomain

/// One session: request lines in, reply lines out, until the input ends.
///
/// Requests that touch the agent's memory are answered in order on this thread. Captures and attachments run in
/// parallel. Operations belong to their supervisors and outlive the session.
struct ServeLoop: ~Copyable {
    private let agent: HostAgent
    private let writer: ReplyWriter
    private let input: Int32
    private let inFlight = RequestsInFlight()
    private var conversation: Conversation
    private var supervisors: [Int32] = []

    init(agent: HostAgent, input: Int32, output: Int32) {
        self.agent = agent
        conversation = Conversation(with: agent)
        self.input = input
        writer = ReplyWriter(descriptor: output)
    }

    /// Serves until the input ends. Running captures are then completed; attachments are ended.
    mutating func run() {
        var splitter = LineSplitter()
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while writer.isOpen {
            let count = read(input, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for line in splitter.receive(chunk[..<count]) { receive(line) }
        }
        inFlight.endInput()
    }

    private mutating func receive(_ line: Result<[UInt8], LineError>) {
        reapSupervisors()
        guard let (id, step) = conversation.take(line) else { return }
        do throws(Refusal) {
            switch step {
            case .reply(let reply): writer.send(id, reply)
            case .supervise(let pid, let reply):
                supervisors.append(pid)
                writer.send(id, reply)
            case .preflight(let preflight, let session):
                writer.send(id, .preflight(try agent.preflight(preflight, session: session)))
            case .capture(let capture, let session): try answerBeside(capture, session, id)
            case .attach(let attach, let session): try answerBeside(attach, session, id)
            }
        } catch {
            writer.send(id, .refused(error))
        }
    }

    private func answerBeside(_ capture: CaptureRequest, _ session: Session, _ id: UInt32) throws(Refusal) {
        try inFlight.add { [writer] _ in
            let setting = CaptureSetting(
                workingDirectory: capture.workingDirectory, secrets: HostSecrets.Values(in: capture.secretFiles ?? []),
                isWanted: { writer.isOpen })
            for surface in capture.surfaces where writer.isOpen {
                let reply = SurfaceCapture.take(surface, setting, speaking: session.protocolVersion)
                writer.send(id, .surface(reply))
            }
            writer.send(id, .captured)
        }
    }

    private func answerBeside(_ attach: AttachRequest, _ session: Session, _ id: UInt32) throws(Refusal) {
        try inFlight.add { [agent, writer] inputIsOpen in
            do throws(Refusal) {
                let end = try agent.attach(
                    attach, session: session, isWanted: { inputIsOpen() && writer.isOpen },
                    send: { writer.send(id, $0) })
                if let end { writer.send(id, end) }
            } catch {
                writer.send(id, .refused(error))
            }
        }
    }

    /// A supervisor is a child of the session that started it. Once it has ended it must not stay as a zombie.
    private mutating func reapSupervisors() {
        supervisors.removeAll { waitpid($0, nil, WNOHANG) != 0 }
    }
}

/// The running captures and attachments, each on its own thread.
private final class RequestsInFlight: Sendable {
    private struct State {
        var count = 0
        var pool: NIOThreadPool?
        var inputIsOpen = true
    }
    private let state = Mutex(State())

    /// Runs work on its own thread; refuses more than ``AgentLimits/requestsInFlight``.
    func add(_ work: @escaping @Sendable (_ inputIsOpen: () -> Bool) -> Void) throws(Refusal) {
        let pool = state.withLock { state -> NIOThreadPool? in
            guard state.count < AgentLimits.requestsInFlight else { return nil }
            state.count += 1
            if state.pool == nil {
                state.pool = NIOThreadPool(numberOfThreads: AgentLimits.requestsInFlight)
                state.pool?.start()
            }
            return state.pool
        }
        guard let pool else {
            throw Refusal(.limitExceeded, "\(AgentLimits.requestsInFlight) requests are under way in this session")
        }
        pool.submit { [self] _ in
            work { self.state.withLock { $0.inputIsOpen } }
            state.withLock { $0.count -= 1 }
        }
    }

    /// Ends attachments and waits for the rest; each has its own deadline.
    func endInput() {
        state.withLock { $0.inputIsOpen = false }
        while state.withLock({ $0.count }) > 0 { pauseBeforeNextLook() }
    }
}

/// Writes whole reply lines to a descriptor, from any thread.
final class ReplyWriter: Sendable {
    private let descriptor: Int32
    private let isOpenState = Mutex(true)

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// False once the reader is gone.
    var isOpen: Bool { isOpenState.withLock { $0 } }

    func send(_ re: UInt32, _ reply: AgentReply) {
        let line: [UInt8]
        do {
            line = try LineCodec.encode(ReplyFrame(re: re, reply: reply))
        } catch {
            let refusal = Refusal(.limitExceeded, "the reply does not fit the protocol: \(error)")
            return write((try? LineCodec.encode(ReplyFrame(re: re, reply: .refused(refusal)))) ?? [])
        }
        write(line)
    }

    private func write(_ line: [UInt8]) {
        isOpenState.withLock { isOpen in
            if isOpen, writeAll(descriptor, line) != 0 { isOpen = false }
        }
    }
}

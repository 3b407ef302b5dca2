package import AgentProtocol
import UpgradeDomain

/// One session's requests, in order, and what to do about each. It is a value, so that a pipe and a simulation give the
/// same answers.
package struct Conversation: Sendable {
    package enum Step: Sendable {
        case reply(AgentReply)
        /// A supervisor was started, which its parent must reap.
        case supervise(pid: Int32, AgentReply)
        case preflight(PreflightRequest, Session)
        /// To be answered in parallel with the next requests.
        case capture(CaptureRequest, Session)
        case attach(AttachRequest, Session)
    }

    private let agent: HostAgent
    private var session: Session

    package init(with agent: HostAgent) {
        self.agent = agent
        session = Session(begunAt: agent.state.machine.bootTime)
    }

    /// Processes the next line. Nil for a blank one.
    package mutating func take(_ line: Result<[UInt8], LineError>) -> (id: UInt32, step: Step)? {
        if case .success(let bytes) = line, bytes.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) { return nil }
        let frame: RequestFrame
        do {
            frame = try RequestFrame.decode(line)
        } catch {
            return (error.id, .reply(.refused(error.refusal)))
        }
        do throws(Refusal) {
            try RequestCheck.check(frame.request)
            return (frame.id, try answer(CarriedFiles(state: agent.state).resolving(frame.request)))
        } catch {
            return (frame.id, .reply(.refused(error)))
        }
    }

    private mutating func answer(_ request: AgentRequest) throws(Refusal) -> Step {
        if case .hello(let hello) = request { return .reply(.hello(try agent.hello(hello, session: &session))) }
        try session.requireHello()
        switch request {
        case .hello: throw Refusal(.internalFailure, "hello was answered before")
        case .preflight(let preflight): return .preflight(preflight, session)
        case .carry(let carry):
            try agent.state.exclusively { () throws(Refusal) in try CarriedFiles(state: agent.state).keep(carry.files) }
            return .reply(.carried)
        case .start(let start):
            let reply = AgentReply.started(id: start.intent.id)
            guard let pid = try agent.start(start, session: session) else { return .reply(reply) }
            return .supervise(pid: pid, reply)
        case .settle(let settle): return .reply(try agent.settle(settle.operation, session: session))
        case .confirm(let confirm): return .reply(try agent.confirm(confirm.operation, session: session))
        case .journal: return .reply(.journal(try agent.listJournal(session: session)))
        case .capture(let capture):
            if let head = capture.head { try agent.keep(head, session: session) }
            return .capture(capture, session)
        case .attach(let attach): return .attach(attach, session)
        }
    }
}

/// The life of one command or tunnel on a session as a value, similar to `SessionLifecycle`.
///
/// A channel that is being opened cannot be cancelled: libssh2 keeps the state of that call in the session. So an exec
/// that is cancelled while opening stays `abandoned` until its channel exists and can be freed.
struct ExecLifecycle {
    /// What libssh2 must do for this exec.
    enum Work: Equatable { case nothing, open, request, stream, free }

    enum Action: Equatable {
        case none
        /// The command was accepted, or the tunnel is open: hand the exec to its caller.
        case announceStarted
        /// Report to all waiting callers that this exec failed with this code.
        case fail(SSHError.Code)
    }

    private enum State: Equatable {
        /// Waiting until the session has no other half-open channel.
        case queued
        case opening
        /// Cancelled while opening.
        case abandoned
        /// The channel is open; the server has not confirmed yet that it starts the command.
        case requesting
        case running
        /// Both sides are done, or this side gave up. The channel waits to be freed.
        case ending
        case ended
    }

    private var state = State.queued
    /// A tunnel needs no request once its channel is open.
    private let isTunnel: Bool

    init(isTunnel: Bool = false) {
        self.isTunnel = isTunnel
    }

    var work: Work {
        switch state {
        case .queued, .ended: .nothing
        case .opening, .abandoned: .open
        case .requesting: .request
        case .running: .stream
        case .ending: .free
        }
    }

    var isQueued: Bool { state == .queued }
    /// Only one exec of a session may be in this state.
    var occupiesOpening: Bool { work == .open }
    var isRunning: Bool { state == .running }
    var isEnded: Bool { state == .ended }

    mutating func turnCame() {
        if state == .queued { state = .opening }
    }

    mutating func channelOpened() -> Action {
        switch state {
        case .opening where isTunnel:
            state = .running
            return .announceStarted
        case .opening: state = .requesting
        case .abandoned: state = .ending
        case .queued, .requesting, .running, .ending, .ended: break
        }
        return .none
    }

    /// The server refused the channel; there is nothing to free.
    mutating func openRefused() -> Action {
        let wasWanted = state == .opening
        state = .ended
        return wasWanted ? .fail(.execRefused) : .none
    }

    mutating func requestAccepted() -> Action {
        guard state == .requesting else { return .none }
        state = .running
        return .announceStarted
    }

    mutating func requestRefused() -> Action {
        guard state == .requesting else { return .none }
        state = .ending
        return .fail(.execRefused)
    }

    mutating func deadlinePassed() -> Action {
        switch state {
        case .queued, .opening, .requesting: return giveUp(.execTimedOut)
        case .abandoned, .running, .ending, .ended: return .none
        }
    }

    /// The remote side closed the channel after everything was read.
    mutating func remoteClosed() {
        if state == .running { state = .ending }
    }

    /// The caller closed the exec or its task was cancelled.
    mutating func closeRequested(_ code: SSHError.Code) -> Action { giveUp(code) }

    /// The channel's memory was freed.
    mutating func freed() { state = .ended }

    /// The whole session is gone, and with it the channel.
    mutating func sessionEnded(_ code: SSHError.Code) -> Action {
        let wasAlive = state != .ended
        state = .ended
        return wasAlive ? .fail(code) : .none
    }

    private mutating func giveUp(_ code: SSHError.Code) -> Action {
        switch state {
        case .queued: state = .ended
        case .opening: state = .abandoned
        case .requesting, .running: state = .ending
        case .abandoned, .ending, .ended: return .none
        }
        return .fail(code)
    }
}

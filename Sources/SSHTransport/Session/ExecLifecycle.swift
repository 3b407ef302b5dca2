/// The life of one command or tunnel on a session as a value, beside `SessionLifecycle`.
///
/// A channel that is being opened cannot be taken back: libssh2 keeps that call's state in the session. So an exec
/// that is given up while opening stays `abandoned` until its channel exists and can be freed.
struct ExecLifecycle {
    /// What libssh2 must be driven to do for this exec.
    enum Work: Equatable { case nothing, open, request, stream, free }

    enum Action: Equatable {
        case none
        /// The command was accepted, or the tunnel stands: hand the exec to its caller.
        case announceStarted
        /// Tell all who wait on this exec that it failed with this code.
        case fail(SSHError.Code)
    }

    private enum State: Equatable {
        /// Waiting for the session to have no other channel half open.
        case queued
        case opening
        /// Given up while opening.
        case abandoned
        /// The channel stands; the server has not said whether it starts the command.
        case requesting
        case running
        /// Both sides are done or we gave up; the channel waits to be freed.
        case ending
        case ended
    }

    private var state = State.queued
    /// A tunnel needs no request once its channel stands.
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
    /// Only one exec of a session may be in this situation.
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

    /// The server refused the channel: there is nothing to free.
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

    /// The channel's memory is gone.
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

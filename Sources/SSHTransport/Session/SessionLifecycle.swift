/// The life of one SSH session as a value: what happened comes in as an event, what to do goes out as an action.
///
/// Nothing here touches a socket, a clock or libssh2. Host keys are judged before authentication, because the only
/// way to `authenticating` leads through `handshakeFinished(hostKeyIsPinned: true)`.
struct SessionLifecycle {
    /// What a deadline is set for.
    enum Phase: CaseIterable, Hashable, Sendable { case resolution, connect, handshake, authentication }

    /// What libssh2 must be driven to do when bytes arrive.
    enum Work: Equatable { case nothing, handshake, authentication, execs }

    enum Action: Equatable {
        /// Nothing to do for this event.
        case none
        /// Set the deadline of this phase and begin its work.
        case begin(Phase)
        /// Tell whoever asked for the connection that it stands; no deadline any more.
        case announceOpen
        /// Give everything back and report this code to all who wait.
        case fail(SSHError.Code)
        /// Say goodbye to the server, then give everything back.
        case disconnect
    }

    private enum State: Equatable {
        /// Not started.
        case idle
        /// The system looks for the name's addresses.
        case resolving
        /// TCP is connecting.
        case connecting
        /// Banners and keys are being exchanged.
        case handshaking
        /// The host proved its pinned key; our signature is being checked.
        case authenticating
        /// Commands may be started.
        case open
        /// Everything was given back.
        case closed
    }

    private var state = State.idle

    var work: Work {
        switch state {
        case .idle, .resolving, .connecting, .closed: .nothing
        case .handshaking: .handshake
        case .authenticating: .authentication
        case .open: .execs
        }
    }

    /// The phase that a lost or slow connection is reported in; nil while open.
    var phase: Phase? {
        switch state {
        case .resolving: .resolution
        case .idle, .connecting: .connect
        case .handshaking: .handshake
        case .authenticating: .authentication
        case .open, .closed: nil
        }
    }

    var isClosed: Bool { state == .closed }

    /// - Parameter withName: whether an address has to be found first.
    mutating func started(withName: Bool) -> Action {
        guard state == .idle else { return .none }
        state = withName ? .resolving : .connecting
        return .begin(withName ? .resolution : .connect)
    }

    mutating func nameResolved() -> Action {
        guard state == .resolving else { return .none }
        state = .connecting
        return .begin(.connect)
    }

    mutating func connected() -> Action {
        guard state == .connecting else { return .none }
        state = .handshaking
        return .begin(.handshake)
    }

    mutating func handshakeFinished(hostKeyIsPinned: Bool, otherKeyOfItsTypeIsPinned: Bool) -> Action {
        guard state == .handshaking else { return .none }
        guard hostKeyIsPinned else {
            return close(.fail(otherKeyOfItsTypeIsPinned ? .hostKeyChanged : .hostKeyUnknown))
        }
        state = .authenticating
        return .begin(.authentication)
    }

    mutating func authenticated() -> Action {
        guard state == .authenticating else { return .none }
        state = .open
        return .announceOpen
    }

    mutating func deadlinePassed(_ phase: Phase, heardAnything: Bool) -> Action {
        guard self.phase == phase else { return .none }
        switch phase {
        case .resolution: return close(.fail(.resolutionTimedOut))
        case .connect: return close(.fail(.connectTimedOut))
        case .handshake: return close(.fail(heardAnything ? .handshakeTimedOut : .bannerTimedOut))
        case .authentication: return close(.fail(.authenticationTimedOut))
        }
    }

    /// The TCP connection ended, or failed underneath.
    mutating func peerClosed() -> Action {
        switch state {
        case .idle, .closed: return .none
        case .resolving, .connecting: return close(.fail(.unreachable))
        case .handshaking: return close(.fail(.handshakeFailed))
        case .authenticating, .open: return close(.fail(.connectionLost))
        }
    }

    /// A call into libssh2 or the connect itself failed for good.
    mutating func failed(_ code: SSHError.Code) -> Action {
        guard state != .closed else { return .none }
        return close(.fail(code))
    }

    /// Our side no longer wants the session.
    mutating func closeRequested() -> Action {
        switch state {
        case .closed: return .none
        case .idle, .resolving, .connecting, .handshaking: return close(.fail(.closed))
        case .authenticating, .open: return close(.disconnect)
        }
    }

    private mutating func close(_ action: Action) -> Action {
        state = .closed
        return action
    }
}

/// The life of one SSH session as a value: events go in, actions come out.
///
/// Nothing here touches a socket, a clock or libssh2. Host keys are checked before authentication, because the only way
/// to `authenticating` is `handshakeFinished(hostKeyIsPinned: true)`.
struct SessionLifecycle {
    /// The phase that a deadline belongs to.
    enum Phase: CaseIterable, Hashable, Sendable { case resolution, connect, handshake, authentication }

    /// What libssh2 must do when bytes arrive.
    enum Work: Equatable { case nothing, handshake, authentication, execs }

    enum Action: Equatable {
        /// Nothing to do for this event.
        case none
        /// Set the deadline of this phase and begin its work.
        case begin(Phase)
        /// Report to the caller that the connection is open; there is no deadline any more.
        case announceOpen
        /// Release everything and report this code to all waiting callers.
        case fail(SSHError.Code)
        /// Send a disconnect to the server, then release everything.
        case disconnect
    }

    private enum State: Equatable {
        /// Not started.
        case idle
        /// The system is resolving the name.
        case resolving
        /// TCP is connecting.
        case connecting
        /// Banners and keys are being exchanged.
        case handshaking
        /// The host proved its pinned key; it is checking this side's signature.
        case authenticating
        /// Commands may be started.
        case open
        /// Everything was released.
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

    /// The phase to name when a connection is lost or slow; nil while open.
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

    /// - Parameter withName: whether a name must be resolved first.
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

    /// The TCP connection ended or failed.
    mutating func peerClosed() -> Action {
        switch state {
        case .idle, .closed: return .none
        case .resolving, .connecting: return close(.fail(.unreachable))
        case .handshaking: return close(.fail(.handshakeFailed))
        case .authenticating, .open: return close(.fail(.connectionLost))
        }
    }

    /// A call into libssh2, or the connect itself, failed permanently.
    mutating func failed(_ code: SSHError.Code) -> Action {
        guard state != .closed else { return .none }
        return close(.fail(code))
    }

    /// This side no longer needs the session.
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

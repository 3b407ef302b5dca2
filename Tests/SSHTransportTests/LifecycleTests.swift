import Testing

@testable import SSHTransport

/// The session's states as a table: no network, no clock.
@Suite("Session lifecycle")
struct SessionLifecycleTests {
    enum Event: CaseIterable {
        case started, startedWithName, nameResolved, connected, pinnedKey, otherKey, strangeKey, authenticated
        case resolutionDeadline, connectDeadline, handshakeDeadline, silentHandshakeDeadline, authenticationDeadline
        case peerClosed, broke, closeRequested

        func apply(to lifecycle: inout SessionLifecycle) -> SessionLifecycle.Action {
            switch self {
            case .started: lifecycle.started(withName: false)
            case .startedWithName: lifecycle.started(withName: true)
            case .nameResolved: lifecycle.nameResolved()
            case .connected: lifecycle.connected()
            case .pinnedKey: lifecycle.handshakeFinished(hostKeyIsPinned: true, otherKeyOfItsTypeIsPinned: true)
            case .otherKey: lifecycle.handshakeFinished(hostKeyIsPinned: false, otherKeyOfItsTypeIsPinned: true)
            case .strangeKey: lifecycle.handshakeFinished(hostKeyIsPinned: false, otherKeyOfItsTypeIsPinned: false)
            case .authenticated: lifecycle.authenticated()
            case .resolutionDeadline: lifecycle.deadlinePassed(.resolution, heardAnything: false)
            case .connectDeadline: lifecycle.deadlinePassed(.connect, heardAnything: false)
            case .handshakeDeadline: lifecycle.deadlinePassed(.handshake, heardAnything: true)
            case .silentHandshakeDeadline: lifecycle.deadlinePassed(.handshake, heardAnything: false)
            case .authenticationDeadline: lifecycle.deadlinePassed(.authentication, heardAnything: true)
            case .peerClosed: lifecycle.peerClosed()
            case .broke: lifecycle.failed(.handshakeFailed)
            case .closeRequested: lifecycle.closeRequested()
            }
        }
    }

    /// A state that events lead to, and the answer to each event there; every event that is not listed does nothing.
    struct Row: CustomTestStringConvertible, Sendable {
        let state: String
        let path: [Event]
        let work: SessionLifecycle.Work
        let answers: [Event: SessionLifecycle.Action]
        var testDescription: String { state }
    }

    static let table = [
        Row(
            state: "idle", path: [], work: .nothing,
            answers: [
                .started: .begin(.connect), .startedWithName: .begin(.resolution),
                .connectDeadline: .fail(.connectTimedOut), .broke: .fail(.handshakeFailed),
                .closeRequested: .fail(.closed),
            ]),
        Row(
            state: "resolving", path: [.startedWithName], work: .nothing,
            answers: [
                .nameResolved: .begin(.connect), .resolutionDeadline: .fail(.resolutionTimedOut),
                .peerClosed: .fail(.unreachable), .broke: .fail(.handshakeFailed), .closeRequested: .fail(.closed),
            ]),
        Row(
            state: "connecting", path: [.started], work: .nothing,
            answers: [
                .connected: .begin(.handshake), .connectDeadline: .fail(.connectTimedOut),
                .peerClosed: .fail(.unreachable), .broke: .fail(.handshakeFailed), .closeRequested: .fail(.closed),
            ]),
        Row(
            state: "handshaking", path: [.started, .connected], work: .handshake,
            answers: [
                .pinnedKey: .begin(.authentication), .otherKey: .fail(.hostKeyChanged),
                .strangeKey: .fail(.hostKeyUnknown), .handshakeDeadline: .fail(.handshakeTimedOut),
                .silentHandshakeDeadline: .fail(.bannerTimedOut), .peerClosed: .fail(.handshakeFailed),
                .broke: .fail(.handshakeFailed), .closeRequested: .fail(.closed),
            ]),
        Row(
            state: "authenticating", path: [.started, .connected, .pinnedKey], work: .authentication,
            answers: [
                .authenticated: .announceOpen, .authenticationDeadline: .fail(.authenticationTimedOut),
                .peerClosed: .fail(.connectionLost), .broke: .fail(.handshakeFailed), .closeRequested: .disconnect,
            ]),
        Row(
            state: "open", path: [.started, .connected, .pinnedKey, .authenticated], work: .execs,
            answers: [
                .peerClosed: .fail(.connectionLost), .broke: .fail(.handshakeFailed), .closeRequested: .disconnect,
            ]),
        Row(state: "closed by us", path: [.started, .closeRequested], work: .nothing, answers: [:]),
        Row(state: "wrong key", path: [.started, .connected, .otherKey], work: .nothing, answers: [:]),
    ]

    @Test("each event in each state has one answer", arguments: table)
    func answers(row: Row) {
        for event in Event.allCases {
            var lifecycle = SessionLifecycle()
            for step in row.path { _ = step.apply(to: &lifecycle) }
            #expect(lifecycle.work == row.work)
            #expect(event.apply(to: &lifecycle) == row.answers[event] ?? .none, "\(event) while \(row.state)")
        }
    }

    @Test("a failure is reported once, and nothing follows it", arguments: Event.allCases)
    func failsOnce(event: Event) {
        for row in Self.table {
            var lifecycle = SessionLifecycle()
            for step in row.path { _ = step.apply(to: &lifecycle) }
            guard case .fail = event.apply(to: &lifecycle) else { continue }
            #expect(lifecycle.isClosed)
            for later in Event.allCases { #expect(later.apply(to: &lifecycle) == .none) }
        }
    }

    @Test("only a pinned host key leads to authentication")
    func trustBeforeLogin() {
        for events in [
            [Event.started, .connected, .otherKey], [.started, .connected, .strangeKey], [.started, .connected],
        ] {
            var lifecycle = SessionLifecycle()
            for event in events { _ = event.apply(to: &lifecycle) }
            #expect(lifecycle.work != .authentication)
            #expect(lifecycle.authenticated() == .none)
        }
    }
}

@Suite("Exec lifecycle")
struct ExecLifecycleTests {
    @Test("a command runs from its start to its end")
    func whole() {
        var exec = ExecLifecycle()
        #expect(exec.work == .nothing)
        exec.turnCame()
        #expect(exec.work == .open)
        #expect(exec.channelOpened() == .none)
        #expect(exec.work == .request)
        #expect(exec.requestAccepted() == .announceStarted)
        #expect(exec.work == .stream)
        #expect(exec.deadlinePassed() == .none)
        exec.remoteClosed()
        #expect(exec.work == .free)
        #expect(exec.closeRequested(.closed) == .none)
        exec.freed()
        #expect(exec.isEnded)
        #expect(exec.sessionEnded(.connectionLost) == .none)
    }

    @Test("a start that takes too long is of unknown outcome in every stage, and its channel is freed")
    func startDeadline() {
        var queued = ExecLifecycle()
        #expect(queued.deadlinePassed() == .fail(.execTimedOut))
        #expect(queued.isEnded)
        var opening = ExecLifecycle()
        opening.turnCame()
        #expect(opening.deadlinePassed() == .fail(.execTimedOut))
        #expect(opening.occupiesOpening)
        #expect(opening.channelOpened() == .none)
        #expect(opening.work == .free)
        var requesting = ExecLifecycle()
        requesting.turnCame()
        #expect(requesting.channelOpened() == .none)
        #expect(requesting.deadlinePassed() == .fail(.execTimedOut))
        #expect(requesting.work == .free)
        #expect(requesting.requestAccepted() == .none)
    }

    @Test("a refused command has a channel to free, a refused channel does not")
    func refusals() {
        var open = ExecLifecycle()
        open.turnCame()
        #expect(open.openRefused() == .fail(.execRefused))
        #expect(open.isEnded)
        var abandoned = ExecLifecycle()
        abandoned.turnCame()
        #expect(abandoned.closeRequested(.cancelled) == .fail(.cancelled))
        #expect(abandoned.openRefused() == .none)
        #expect(abandoned.isEnded)
        var request = ExecLifecycle()
        request.turnCame()
        #expect(request.channelOpened() == .none)
        #expect(request.requestRefused() == .fail(.execRefused))
        #expect(request.work == .free)
    }

    @Test("the end of the session ends a command once")
    func sessionEnds() {
        var exec = ExecLifecycle()
        exec.turnCame()
        #expect(exec.sessionEnded(.connectionLost) == .fail(.connectionLost))
        #expect(exec.sessionEnded(.connectionLost) == .none)
        #expect(exec.deadlinePassed() == .none)
    }
}

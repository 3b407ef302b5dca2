import CLibSSH2
import Logging
import NIOCore

/// Drives one libssh2 session on an event loop, from the first connect to the last free.
///
/// Everything here runs on that loop. `SessionLifecycle` decides and this class acts. The commands on the session are
/// in `SSHSession+Execs.swift`, the login in `SSHSession+Login.swift`.
final class SSHSession: WireOwner {
    let target: SSHTarget
    let loop: any EventLoop
    var lifecycle = SessionLifecycle()
    /// Commands that still need libssh2, in the order they were requested.
    var execs: [ExecChannel] = []
    /// Why the session ended; set with the lifecycle's last state.
    private(set) var ending: SSHError?
    /// Whether output of a command has arrived. From then on, delayed acknowledgements no longer cost a round trip.
    var heardOutput = false
    var attempts: LoginAttempts
    /// Why an ssh-agent gave no signature for the current key.
    var keyAgentFault: KeyAgentFault?

    private(set) var session: LibSSH2Session?
    private(set) var wire: (any SessionWire)?
    private let ended: () -> Void
    private var opened: EventLoopPromise<SSHIdentity>?
    /// Set if only the host's key is needed.
    private var shown: EventLoopPromise<SSHHostKey>?
    private var deadline: Scheduled<Void>?
    private var nextProbe: Scheduled<Void>?
    private var lastHeard = NIODeadline.now()
    /// When the last keepalive was sent, if nothing has arrived since.
    private var askedForSignOfLife: NIODeadline?
    private var greeting: [UInt8] = []
    private var isAdvancing = false
    private var mustAdvanceAgain = false

    /// - Parameter ended: called once, when the session can no longer be used.
    init(target: SSHTarget, loop: any EventLoop, ended: @escaping () -> Void) {
        self.target = target
        attempts = LoginAttempts(target.identities)
        self.loop = loop
        self.ended = ended
    }

    // MARK: Connecting

    /// - Parameters:
    ///   - route: the route that its bytes take.
    ///   - promise: completes with the key that the host accepted.
    func connect(over route: any SessionRoute, _ promise: EventLoopPromise<SSHIdentity>) {
        if let ending { return promise.fail(ending) }
        opened = promise
        guard !target.hostKeys.isEmpty else {
            return fail(.hostKeyUnknown)
        }
        guard attempts.current != nil else { return fail(.keyNotHeld, detail: "there is no key to try") }
        begin(over: route)
    }

    /// Connects until the host has proved that it owns a key, then disconnects.
    func readHostKey(over route: any SessionRoute, _ promise: EventLoopPromise<SSHHostKey>) {
        if let ending { return promise.fail(ending) }
        shown = promise
        begin(over: route)
    }

    private func begin(over route: any SessionRoute) {
        session = LibSSH2Session(hostKeyTypes: target.hostKeys.map(\.type))
        guard session != nil else { return fail(.limitExceeded, detail: "libssh2 could not start a session") }
        perform(lifecycle.started(withName: route.resolvesName))
        let wire = route.wire(of: self)
        self.wire = wire
        wire.connect()
    }

    /// Probes a server that has been silent for a third of the allowed silence, and gives up if it does not answer
    /// within the other two thirds. A device on the way may acknowledge bytes that no process reads, and the kernel
    /// takes that for a living peer.
    private func probeAfterSilence() {
        let third = TimeAmount(target.deadlines.silence / 3)
        nextProbe = loop.assumeIsolated().scheduleTask(in: third) {
            let now = NIODeadline.now()
            if let asked = self.askedForSignOfLife {
                guard now - asked < third * 2 else {
                    return self.fail(
                        .connectionLost,
                        detail:
                            "nothing came from it for \(self.target.deadlines.silence), not even the answer to a keepalive"
                    )
                }
            } else if now - self.lastHeard >= third, self.session?.askForSignOfLife() == true {
                self.askedForSignOfLife = now
                self.flush()
            }
            self.probeAfterSilence()
        }
    }

    // MARK: Wire events

    var isClosed: Bool { lifecycle.isClosed }

    func nameResolved() { perform(lifecycle.nameResolved()) }

    func wireOpened() {
        perform(lifecycle.connected())
        advance()
    }

    /// Stores received bytes; `advance` uses them.
    func receive(_ received: ByteBuffer) {
        var bytes = received
        lastHeard = .now()
        askedForSignOfLife = nil
        guard let session else { return }
        if lifecycle.work == .handshake, greeting.count < TransportLimits.greetingBytes {
            greeting.append(contentsOf: bytes.readableBytesView.prefix(TransportLimits.greetingBytes - greeting.count))
        }
        if session.inbound.readableBytes == 0 {
            session.inbound = bytes
        } else {
            session.inbound.writeBuffer(&bytes)
        }
    }

    /// Whether libssh2 is so far behind that no more should be received; the wire's `resume` ends that.
    var hasTooMuch: Bool { (session?.inbound.readableBytes ?? 0) >= TransportLimits.unreadBytes }

    /// The peer has closed the wire.
    func wireEnded() {
        advance()
        perform(lifecycle.peerClosed(), detail: peerClosedDetail)
    }

    /// - Parameter words: printable, for display.
    func wireBroke(_ words: String?, cause: String) {
        perform(lifecycle.peerClosed(), detail: peerClosedDetail ?? words, cause: cause)
    }

    /// The wire is completely closed.
    func wireGone() { wire = nil }

    // MARK: Driving libssh2

    /// Lets libssh2 process what has arrived, then sends what it produced.
    func advance() {
        guard !isAdvancing else {
            mustAdvanceAgain = true
            return
        }
        isAdvancing = true
        repeat {
            mustAdvanceAgain = false
            work()
            flush()
        } while mustAdvanceAgain
        isAdvancing = false
        if !hasTooMuch { wire?.resume() }
    }

    private func work() {
        guard let session else { return }
        switch lifecycle.work {
        case .nothing: break
        case .handshake:
            switch session.handshake() {
            case .again: break
            case .done: judgeHostKey(session)
            case .failed(let failure): handshakeFailed(failure, session)
            }
        case .authentication: advanceLogin(session)
        case .execs: advanceExecs(session)
        }
    }

    private func flush() {
        guard let session, session.outbound.readableBytes > 0, let wire, wire.isActive else { return }
        let bytes = session.outbound
        session.outbound = ByteBuffer()
        wire.send(bytes)
    }

    private func judgeHostKey(_ session: LibSSH2Session) {
        let key = SSHHostKey(blob: session.hostKeyBlob)
        greeting = []
        if let shown, let key {
            shown.succeed(key)
            self.shown = nil
            return perform(lifecycle.closeRequested())
        }
        let action = lifecycle.handshakeFinished(
            hostKeyIsPinned: key.map(target.hostKeys.contains) ?? false,
            otherKeyOfItsTypeIsPinned: key.map { target.pins(type: $0.type) } ?? false)
        perform(action, detail: key.map { target.mismatch(type: $0.type, fingerprint: $0.fingerprint) })
    }

    private func handshakeFailed(_ failure: LibSSH2Session.Failure, _ session: LibSSH2Session) {
        let cause = "libssh2 \(failure.number): \(failure.words)"
        let mismatch = ServerOffer(greeting: greeting)?.mismatch { session.supported($0.libssh2Method) }
        guard let mismatch else {
            let isPeers = failure.isConnectionLost || session.disconnectReason != nil
            return perform(
                lifecycle.failed(isPeers ? .handshakeFailed : .handshakeGivenUp), detail: peerClosedDetail, cause: cause
            )
        }
        perform(lifecycle.failed(.noCommonAlgorithm), detail: mismatch.sentence, cause: cause)
    }

    private var peerClosedDetail: String? {
        session?.disconnectReason ?? ServerOffer.firstLine(greeting).map { "it said \"\($0)\"" }
    }

    // MARK: Acting

    /// - Parameter detail: evaluated only if something failed.
    func perform(_ action: SessionLifecycle.Action, detail: @autoclosure () -> String? = nil, cause: String? = nil) {
        switch action {
        case .none: break
        case .begin(let phase):
            target.logger.debug("a phase of the connection began", metadata: ["phase": "\(phase)"])
            arm(phase)
            mustAdvanceAgain = true
        case .announceOpen:
            deadline?.cancel()
            target.logger.debug("logged in")
            if let accepted = attempts.current { opened?.succeed(accepted) }
            opened = nil
            probeAfterSilence()
            mustAdvanceAgain = true
        case .fail(let code): release(target.error(code, detail: detail(), cause: cause))
        case .disconnect:
            session?.disconnect()
            flush()
            release(target.error(.closed))
        }
    }

    func fail(_ code: SSHError.Code, detail: String? = nil, cause: String? = nil) {
        perform(lifecycle.failed(code), detail: detail, cause: cause)
    }

    private func arm(_ phase: SessionLifecycle.Phase) {
        deadline?.cancel()
        let limit =
            switch phase {
            case .resolution: target.deadlines.resolution
            case .connect: target.deadlines.connect
            case .handshake: target.deadlines.handshake
            case .authentication: target.deadlines.authentication
            }
        deadline = loop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) {
            self.perform(self.lifecycle.deadlinePassed(phase, heardAnything: !self.greeting.isEmpty))
        }
    }

    /// Releases everything. Every pending promise is completed here.
    private func release(_ error: SSHError) {
        ending = error
        target.logger.debug("the connection ended", metadata: ["code": "\(error.code.rawValue)"])
        // Before any caller learns of it and tries again.
        ended()
        deadline?.cancel()
        nextProbe?.cancel()
        opened?.fail(error)
        opened = nil
        shown?.fail(error)
        shown = nil
        endExecs(error)
        session?.free()
        session = nil
        wire?.close()
    }

    /// Ends the session from this side. The promise completes when the socket is closed.
    func close(_ promise: EventLoopPromise<Void>?) {
        perform(lifecycle.closeRequested())
        guard let promise else { return }
        guard let wire else { return promise.succeed() }
        wire.closed.cascade(to: promise)
    }
}

extension ServerOffer.List {
    var libssh2Method: Int32 {
        switch self {
        case .keyExchange: LIBSSH2_METHOD_KEX
        case .hostKey: LIBSSH2_METHOD_HOSTKEY
        case .cipherToServer: LIBSSH2_METHOD_CRYPT_CS
        case .cipherToClient: LIBSSH2_METHOD_CRYPT_SC
        case .macToServer: LIBSSH2_METHOD_MAC_CS
        case .macToClient: LIBSSH2_METHOD_MAC_SC
        }
    }
}

extension ServerOffer.Mismatch {
    /// Limited in length, because a server's list may be long.
    var sentence: String {
        let offer = printable(offered.joined(separator: ",").utf8)
        let ours = printable(supported.joined(separator: ",").utf8)
        return "its \(list.noun) list is \(offer), ours is \(ours); add one of ours to \(list.serverOption) in its "
            + "sshd_config, or use a newer libssh2"
    }
}

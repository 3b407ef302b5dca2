import CLibSSH2
import Glibc
import NIOCore
import NIOPosix

/// Drives one libssh2 session from its channel's event loop, from TCP connect to the last free.
///
/// Everything here runs on that loop. `SessionLifecycle` decides, this class acts; the commands on the session are
/// in `SessionDriver+Execs.swift`, the login in `SessionDriver+Login.swift`.
final class SessionDriver: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let target: SSHTarget
    let loop: any EventLoop
    var lifecycle = SessionLifecycle()
    /// Commands that still need libssh2, in the order they were asked for.
    var execs: [ExecChannel] = []
    /// Why the session ended; set with the lifecycle's last state.
    private(set) var ending: SSHError?
    /// Whether output of a command has arrived; from then on delayed acknowledgements no longer cost a round trip.
    var heardOutput = false
    var attempts: LoginAttempts
    /// Why an ssh-agent gave no signature for the current key.
    var agentFault: AgentFault?

    private(set) var session: LibSSH2Session?
    private(set) var context: ChannelHandlerContext?
    private let ended: () -> Void
    private var opened: EventLoopPromise<SSHIdentity>?
    private var deadline: Scheduled<Void>?
    private var nextProbe: Scheduled<Void>?
    private var lastHeard = NIODeadline.now()
    /// When the keepalive was sent that nothing has followed yet.
    private var askedForSignOfLife: NIODeadline?
    private var greeting: [UInt8] = []
    private var isAdvancing = false
    private var mustAdvanceAgain = false
    private var holdsRead = false

    /// - Parameter ended: called once, when everything was given back.
    init(target: SSHTarget, loop: any EventLoop, ended: @escaping () -> Void) {
        self.target = target
        attempts = LoginAttempts(target.identities)
        self.loop = loop
        self.ended = ended
    }

    // MARK: Connecting

    /// - Parameter promise: completes with the key that the host accepted.
    func connect(_ promise: EventLoopPromise<SSHIdentity>) {
        if let ending { return promise.fail(ending) }
        opened = promise
        guard !target.hostKeys.isEmpty else {
            return fail(.hostKeyUnknown, detail: "no key is pinned for it")
        }
        guard attempts.current != nil else { return fail(.keyNotHeld, detail: "there is no key to try") }
        session = LibSSH2Session(hostKeyTypes: target.hostKeys.map(\.type))
        guard session != nil else { return fail(.limitExceeded, detail: "libssh2 could not start a session") }
        perform(lifecycle.started())
        let attempt: EventLoopFuture<any Channel>
        do {
            attempt = bootstrap().connect(to: try SocketAddress(ipAddress: target.address, port: target.port))
        } catch {
            attempt = bootstrap().connect(host: target.address, port: target.port)
        }
        attempt.hop(to: loop).assumeIsolated().whenFailure { self.connectFailed($0) }
    }

    private func bootstrap() -> ClientBootstrap {
        let bound = NIOLoopBound(self, eventLoop: loop)
        return ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(target.deadlines.connect) + .seconds(1))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try bound.value.setSilenceOptions(channel)
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
    }

    /// Lets the kernel notice a dead peer: unacknowledged bytes by TCP_USER_TIMEOUT, an idle one by keepalives.
    private func setSilenceOptions(_ channel: any Channel) throws {
        let silence = TimeAmount(target.deadlines.silence)
        let probeSeconds = max(1, CInt(clamping: silence.nanoseconds / 1_000_000_000) / 3)
        let options: [(CInt, CInt)] = [
            (TCP_USER_TIMEOUT, CInt(clamping: silence.nanoseconds / 1_000_000)), (TCP_KEEPIDLE, probeSeconds),
            (TCP_KEEPINTVL, probeSeconds), (TCP_KEEPCNT, 2),
        ]
        for (name, value) in options {
            try channel.syncOptions?.setOption(.tcpOption(.init(rawValue: name)), value: .init(value))
        }
    }

    /// Asks a server that has said nothing for a third of the silence that is borne, and gives up when it has not answered
    /// for the other two: something on the way may acknowledge bytes that nobody reads, which the kernel takes for a living
    /// peer.
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

    private func connectFailed(_ error: any Error) {
        let (code, detail) = connectFailure(error)
        perform(lifecycle.failed(code), detail: detail, cause: "\(error)")
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if lifecycle.isClosed { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        perform(lifecycle.connected())
        advance()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
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

    func channelReadComplete(context: ChannelHandlerContext) {
        if !heardOutput {
            try? context.channel.syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_QUICKACK)), value: 1)
        }
        advance()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { advance() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        advance()
        perform(lifecycle.peerClosed(), detail: peerClosedDetail)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let words = (error as? IOError).map { String(cString: strerror($0.errnoCode)) }
        perform(lifecycle.peerClosed(), detail: peerClosedDetail ?? words, cause: "\(error)")
    }

    /// Stops reading the socket while libssh2 is far behind.
    func read(context: ChannelHandlerContext) {
        if let session, session.inbound.readableBytes >= TransportLimits.unreadBytes {
            holdsRead = true
        } else {
            context.read()
        }
    }

    // MARK: Driving libssh2

    /// Lets libssh2 use what has arrived, then sends what it made of it.
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
        if holdsRead, let session, session.inbound.readableBytes < TransportLimits.unreadBytes {
            holdsRead = false
            context?.read()
        }
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
        guard let session, session.outbound.readableBytes > 0, let context, context.channel.isActive else { return }
        let bytes = session.outbound
        session.outbound = context.channel.allocator.buffer(capacity: 0)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func judgeHostKey(_ session: LibSSH2Session) {
        let shown = SSHHostKey(blob: session.hostKeyBlob)
        let isPinned = shown.map(target.hostKeys.contains) ?? false
        let action = lifecycle.handshakeFinished(
            hostKeyIsPinned: isPinned, otherKeyOfItsTypeIsPinned: target.hostKeys.contains { $0.type == shown?.type })
        greeting = []
        perform(action, detail: shown.map { "\($0.type) \($0.fingerprint)" })
    }

    private func handshakeFailed(_ failure: LibSSH2Session.Failure, _ session: LibSSH2Session) {
        let cause = "libssh2 \(failure.number): \(failure.words)"
        let mismatch = ServerOffer(greeting: greeting)?.mismatch { session.supported($0.libssh2Method) }
        guard let mismatch else {
            return perform(lifecycle.failed(.handshakeFailed), detail: peerClosedDetail, cause: cause)
        }
        perform(lifecycle.failed(.noCommonAlgorithm), detail: mismatch.sentence, cause: cause)
    }

    private var peerClosedDetail: String? {
        session?.disconnectReason ?? ServerOffer.firstLine(greeting).map { "it said \"\($0)\"" }
    }

    // MARK: Acting

    func perform(_ action: SessionLifecycle.Action, detail: String? = nil, cause: String? = nil) {
        switch action {
        case .none: break
        case .begin(let phase):
            arm(phase)
            mustAdvanceAgain = true
        case .announceOpen:
            deadline?.cancel()
            if let accepted = attempts.current { opened?.succeed(accepted) }
            opened = nil
            probeAfterSilence()
            mustAdvanceAgain = true
        case .fail(let code): release(target.error(code, detail: detail, cause: cause))
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
            case .connect: target.deadlines.connect
            case .handshake: target.deadlines.handshake
            case .authentication: target.deadlines.authentication
            }
        deadline = loop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) {
            self.perform(self.lifecycle.deadlinePassed(phase, heardAnything: !self.greeting.isEmpty))
        }
    }

    /// Gives everything back; every promise that anyone waits on is completed here.
    private func release(_ error: SSHError) {
        ending = error
        deadline?.cancel()
        nextProbe?.cancel()
        opened?.fail(error)
        opened = nil
        endExecs(error)
        session?.free()
        session = nil
        context?.close(promise: nil)
        ended()
    }

    /// Ends the session from our side; the promise completes when the socket is closed.
    func close(_ promise: EventLoopPromise<Void>?) {
        perform(lifecycle.closeRequested())
        guard let promise else { return }
        guard let context else { return promise.succeed() }
        context.channel.closeFuture.cascade(to: promise)
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
    /// Bounded: a server's list may be long.
    var sentence: String {
        let offer = printable(offered.joined(separator: ",").utf8)
        let ours = printable(supported.joined(separator: ",").utf8)
        return "its \(list.noun) list is \(offer), ours is \(ours); add one of ours to \(list.serverOption) in its "
            + "sshd_config, or use a newer libssh2"
    }
}

/// Sorts what SwiftNIO and the kernel say about a failed connect.
func connectFailure(_ error: any Error) -> (SSHError.Code, detail: String?) {
    if let error = error as? NIOConnectionError {
        if let first = error.connectionErrors.first { return connectFailure(first.error) }
        return (.unreachable, "its name has no address")
    }
    if case .connectTimeout? = error as? ChannelError { return (.connectTimedOut, nil) }
    guard let error = error as? IOError else { return (.unreachable, nil) }
    let detail = String(cString: strerror(error.errnoCode))
    switch error.errnoCode {
    case ECONNREFUSED: return (.connectionRefused, nil)
    case ETIMEDOUT: return (.connectTimedOut, nil)
    case EMFILE, ENFILE: return (.limitExceeded, detail)
    default: return (.unreachable, detail)
    }
}

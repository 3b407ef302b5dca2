import Glibc
import NIOCore
import NIOPosix

/// A session's TCP connection.
final class SocketWire: ChannelDuplexHandler, SessionWire {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let owner: any WireOwner
    /// Nil if the target's address must be resolved first.
    private let address: SocketAddress?
    private let names: NameResolver
    private var context: ChannelHandlerContext?
    /// Channels that are trying to connect. Each address of a name has its own.
    private var attempts: [any Channel] = []
    private var isConnecting = false
    private var question: NameResolver.Question?
    private var holdsRead = false
    /// Something was sent since the last bytes came in.
    private var hasAnswered = false
    private var isGone = false
    private let gone: EventLoopPromise<Void>

    init(owner: any WireOwner, address: SocketAddress?, names: NameResolver) {
        self.owner = owner
        self.address = address
        self.names = names
        gone = owner.loop.makePromise()
    }

    func connect() {
        guard let address else { return resolve() }
        follow(bootstrap().connect(to: address))
    }

    private func resolve() {
        let (name, port, loop) = (owner.target.address, owner.target.port, owner.loop)
        let (question, answer) = names.addresses(of: name, port: port, on: loop)
        self.question = question
        answer.assumeIsolated().whenComplete { result in
            self.question = nil
            guard !self.isGone else { return }
            switch result {
            case .success(let addresses):
                self.owner.nameResolved()
                let known = KnownAddresses(addresses: addresses, loop: loop)
                self.follow(self.bootstrap().resolver(known).connect(host: name, port: port))
            case .failure(let error):
                self.owner.fail(.unreachable, detail: "its name cannot be resolved: \(error)", cause: nil)
                self.end()
            }
        }
    }

    private func follow(_ attempt: EventLoopFuture<any Channel>) {
        isConnecting = true
        attempt.hop(to: owner.loop).assumeIsolated().whenComplete { result in
            self.isConnecting = false
            self.attempts = []
            do {
                let channel = try result.get()
                try channel.pipeline.syncOperations.addHandler(self)
                // This runs before the channel reads, because its promise is fulfilled while it becomes active.
                if channel.isActive { self.owner.wireOpened() }
            } catch {
                let (code, detail) = connectFailure(error)
                self.owner.fail(code, detail: detail, cause: connectCause(error))
                if let context = self.context { context.close(promise: nil) } else { self.end() }
            }
        }
    }

    private func bootstrap() -> ClientBootstrap {
        let bound = NIOLoopBound(self, eventLoop: owner.loop)
        return ClientBootstrap(group: owner.loop)
            .connectTimeout(TimeAmount(owner.target.deadlines.connect) + .seconds(1))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.prepare(channel) }
            }
    }

    private func prepare(_ channel: any Channel) throws {
        guard !isGone, !owner.isClosed else { throw ChannelError.ioOnClosedChannel }
        attempts.append(channel)
        try setSilenceOptions(channel)
    }

    /// Lets the kernel notice a dead peer: unacknowledged bytes by TCP_USER_TIMEOUT, an idle one by keepalives.
    private func setSilenceOptions(_ channel: any Channel) throws {
        let silence = TimeAmount(owner.target.deadlines.silence)
        let probeSeconds = max(1, CInt(clamping: silence.nanoseconds / 1_000_000_000) / 3)
        let options: [(CInt, CInt)] = [
            (TCP_USER_TIMEOUT, CInt(clamping: silence.nanoseconds / 1_000_000)), (TCP_KEEPIDLE, probeSeconds),
            (TCP_KEEPINTVL, probeSeconds), (TCP_KEEPCNT, 2),
        ]
        for (name, value) in options {
            try channel.syncOptions?.setOption(.tcpOption(.init(rawValue: name)), value: .init(value))
        }
    }

    private func end() {
        guard !isGone else { return }
        isGone = true
        owner.wireGone()
        gone.succeed()
    }

    // MARK: The session's side

    var isActive: Bool { context?.channel.isActive ?? false }
    var isWritable: Bool { context?.channel.isWritable ?? false }
    var closed: EventLoopFuture<Void> { gone.futureResult }

    func send(_ bytes: ByteBuffer) {
        hasAnswered = true
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func resume() {
        guard holdsRead else { return }
        holdsRead = false
        context?.read()
    }

    func close() {
        if let context { return context.close(promise: nil) }
        if let question { names.giveUp(question) }
        // Their failure ends it. While a name is being resolved there are none.
        for attempt in attempts { attempt.close(promise: nil) }
        if !isConnecting { end() }
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if owner.isClosed { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { owner.receive(unwrapInboundIn(data)) }

    /// Until the first output, the server delays small packets until it gets an acknowledgement, which an answer
    /// carries along.
    func channelReadComplete(context: ChannelHandlerContext) {
        hasAnswered = false
        owner.advance()
        guard !hasAnswered, !owner.heardOutput else { return }
        try? context.channel.syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_QUICKACK)), value: 1)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { owner.advance() }
    }

    func channelInactive(context: ChannelHandlerContext) { owner.wireEnded() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        owner.wireBroke((error as? IOError).map { String(cString: strerror($0.errnoCode)) }, cause: "\(error)")
    }

    /// Stops reading the socket while libssh2 is far behind.
    func read(context: ChannelHandlerContext) {
        if owner.hasTooMuch {
            holdsRead = true
        } else {
            context.read()
        }
    }
}

/// A direct connection to the host.
struct SocketRoute: SessionRoute {
    private let address: SocketAddress?
    private let names: NameResolver

    init(to target: SSHTarget, names: NameResolver) {
        address = try? SocketAddress(ipAddress: target.address, port: target.port)
        self.names = names
    }

    var resolvesName: Bool { address == nil }

    func wire(of owner: any WireOwner) -> any SessionWire { SocketWire(owner: owner, address: address, names: names) }
}

/// The kernel's error for a failed connect, for a log.
func connectCause(_ error: any Error) -> String {
    if let error = error as? NIOConnectionError {
        return error.connectionErrors.map { connectCause($0.error) }.joined(separator: "; ")
    }
    guard let error = error as? IOError else { return "\(error)" }
    return "\(String(cString: strerror(error.errnoCode))), errno \(error.errnoCode)"
}

/// Classifies the errors of SwiftNIO and the kernel for a failed connect.
func connectFailure(_ error: any Error) -> (SSHError.Code, detail: String?) {
    if let error = error as? NIOConnectionError {
        // A machine without IPv6 gives that error for every IPv6 address; the error of another address is more useful.
        let failures = error.connectionErrors.map { connectFailure($0.error) }
        return failures.first { $0.0 != .unreachable } ?? failures.first ?? (.unreachable, "its name has no address")
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

import Glibc
import NIOCore
import NIOPosix

/// A session's TCP connection.
final class SocketWire: ChannelDuplexHandler, SessionWire {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let driver: SessionDriver
    private let names: NameResolver
    private var context: ChannelHandlerContext?
    /// Channels that try to connect: of a name's several addresses, each has its own.
    private var attempts: [any Channel] = []
    private var isConnecting = false
    private var question: NameResolver.Question?
    private var holdsRead = false
    /// Something was sent since the last bytes came in.
    private var hasAnswered = false
    private var isGone = false
    private let gone: EventLoopPromise<Void>

    init(driver: SessionDriver, names: NameResolver) {
        self.driver = driver
        self.names = names
        gone = driver.loop.makePromise()
    }

    /// - Parameter address: nil when the target's has to be resolved first.
    func connect(to address: SocketAddress?) {
        guard let address else { return resolve() }
        follow(bootstrap().connect(to: address))
    }

    private func resolve() {
        let (name, port, loop) = (driver.target.address, driver.target.port, driver.loop)
        let (question, answer) = names.addresses(of: name, port: port, on: loop)
        self.question = question
        answer.assumeIsolated().whenComplete { result in
            self.question = nil
            guard !self.isGone else { return }
            switch result {
            case .success(let addresses):
                self.driver.nameResolved()
                let known = KnownAddresses(addresses: addresses, loop: loop)
                self.follow(self.bootstrap().resolver(known).connect(host: name, port: port))
            case .failure(let error):
                self.driver.fail(.unreachable, detail: "its name cannot be resolved: \(error)")
                self.end()
            }
        }
    }

    private func follow(_ attempt: EventLoopFuture<any Channel>) {
        isConnecting = true
        attempt.hop(to: driver.loop).assumeIsolated().whenComplete { result in
            self.isConnecting = false
            self.attempts = []
            do {
                let channel = try result.get()
                try channel.pipeline.syncOperations.addHandler(self)
                // Comes before the channel reads, as its promise is fulfilled while it becomes active.
                if channel.isActive { self.driver.wireOpened() }
            } catch {
                let (code, detail) = connectFailure(error)
                self.driver.fail(code, detail: detail, cause: "\(error)")
                if let context = self.context { context.close(promise: nil) } else { self.end() }
            }
        }
    }

    private func bootstrap() -> ClientBootstrap {
        let bound = NIOLoopBound(self, eventLoop: driver.loop)
        return ClientBootstrap(group: driver.loop)
            .connectTimeout(TimeAmount(driver.target.deadlines.connect) + .seconds(1))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.prepare(channel) }
            }
    }

    private func prepare(_ channel: any Channel) throws {
        guard !isGone, !driver.lifecycle.isClosed else { throw ChannelError.ioOnClosedChannel }
        attempts.append(channel)
        try setSilenceOptions(channel)
    }

    /// Lets the kernel notice a dead peer: unacknowledged bytes by TCP_USER_TIMEOUT, an idle one by keepalives.
    private func setSilenceOptions(_ channel: any Channel) throws {
        let silence = TimeAmount(driver.target.deadlines.silence)
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
        driver.wireGone()
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
        // Their failure ends it; a name that is being resolved has nothing to wait for.
        for attempt in attempts { attempt.close(promise: nil) }
        if !isConnecting { end() }
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if driver.lifecycle.isClosed { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { driver.receive(unwrapInboundIn(data)) }

    /// Until the first output the server holds small packets back for our acknowledgement, which an answer carries along.
    func channelReadComplete(context: ChannelHandlerContext) {
        hasAnswered = false
        driver.advance()
        guard !hasAnswered, !driver.heardOutput else { return }
        try? context.channel.syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_QUICKACK)), value: 1)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { driver.advance() }
    }

    func channelInactive(context: ChannelHandlerContext) { driver.wireEnded() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        driver.wireBroke((error as? IOError).map { String(cString: strerror($0.errnoCode)) }, cause: "\(error)")
    }

    /// Stops reading the socket while libssh2 is far behind.
    func read(context: ChannelHandlerContext) {
        if driver.hasTooMuch {
            holdsRead = true
        } else {
            context.read()
        }
    }
}

/// Sorts what SwiftNIO and the kernel say about a failed connect.
func connectFailure(_ error: any Error) -> (SSHError.Code, detail: String?) {
    if let error = error as? NIOConnectionError {
        // A machine without IPv6 says so of every IPv6 address; another address has more to tell.
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

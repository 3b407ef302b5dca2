import Glibc
import NIOCore
import NIOPosix

/// A session's TCP connection.
final class SocketWire: ChannelDuplexHandler, SessionWire {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let driver: SessionDriver
    private var context: ChannelHandlerContext?
    private var holdsRead = false
    /// Something was sent since the last bytes came in.
    private var hasAnswered = false
    private var isGone = false
    private let gone: EventLoopPromise<Void>

    init(driver: SessionDriver) {
        self.driver = driver
        gone = driver.loop.makePromise()
    }

    /// Resolves the name off the loop, if it is one, and connects.
    func connect() {
        let target = driver.target
        let attempt: EventLoopFuture<any Channel>
        do {
            attempt = bootstrap().connect(to: try SocketAddress(ipAddress: target.address, port: target.port))
        } catch {
            attempt = bootstrap().connect(host: target.address, port: target.port)
        }
        attempt.hop(to: driver.loop).assumeIsolated().whenFailure { error in
            let (code, detail) = connectFailure(error)
            self.driver.fail(code, detail: detail, cause: "\(error)")
            self.end()
        }
    }

    private func bootstrap() -> ClientBootstrap {
        let bound = NIOLoopBound(self, eventLoop: driver.loop)
        return ClientBootstrap(group: driver.loop)
            .connectTimeout(TimeAmount(driver.target.deadlines.connect) + .seconds(1))
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

    /// A socket that never connected may have had a channel all the same, which is removed as well.
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

    func close() { context?.close(promise: nil) }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if driver.lifecycle.isClosed { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func channelActive(context: ChannelHandlerContext) { driver.wireOpened() }

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

import Glibc
import NIOCore
import NIOPosix

/// One connection to an ssh-agent, used once: after it ends, the next request opens another.
///
/// Everything here runs on one event loop, whose sessions share it. An agent answers in request order, so answers need
/// no numbers. A request that is not answered in time ends the connection, because later answers could no longer be
/// matched.
final class KeyAgentConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Answer = Result<[UInt8], KeyAgentFault>

    private struct Waiting {
        let answer: (Answer) -> Void
        let deadline: Scheduled<Void>
    }

    var isOver: Bool { fault != nil }
    /// Why it ended.
    private var fault: KeyAgentFault?
    private let loop: any EventLoop
    private var context: ChannelHandlerContext?
    private var waiting = CircularBuffer<Waiting>()
    /// Frames requested before the socket was connected.
    private var unsent = ByteBuffer()
    private var inbound = ByteBuffer()

    init(socketPath: String, loop: any EventLoop) {
        self.loop = loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(unixDomainSocketPath: socketPath)
            .hop(to: loop).assumeIsolated().whenFailure { error in
                let words = (error as? IOError).map { String(cString: strerror($0.errnoCode)) }
                self.end(.unreachable(words ?? "\(error)"))
            }
    }

    /// Sends a request. `answer` is called once, on the loop, with the body of the reply.
    func ask(_ request: KeyAgentRequest, within limit: Duration, _ answer: @escaping (Answer) -> Void) {
        if let fault { return answer(.failure(fault)) }
        guard waiting.count < TransportLimits.agentRequestCount else { return answer(.failure(.overrun)) }
        let deadline = loop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) { self.end(.silent(limit)) }
        waiting.append(Waiting(answer: answer, deadline: deadline))
        unsent.writeBytes(request.frame)
        flush()
    }

    private func flush() {
        guard let context, context.channel.isActive, unsent.readableBytes > 0 else { return }
        let frames = unsent
        unsent = ByteBuffer()
        context.writeAndFlush(wrapOutboundOut(frames), promise: nil)
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if isOver { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { flush() }

    func channelInactive(context: ChannelHandlerContext) { end(.hungUp) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.hungUp) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        inbound.writeBuffer(&bytes)
        while !isOver, let count = inbound.getInteger(at: inbound.readerIndex, as: UInt32.self) {
            guard (1...TransportLimits.agentReplyBytes).contains(Int(count)), !waiting.isEmpty else {
                return end(.misunderstood)
            }
            guard inbound.readableBytes >= 4 + Int(count) else { return }
            inbound.moveReaderIndex(forwardBy: 4)
            deliver(inbound.readBytes(length: Int(count)) ?? [])
        }
        inbound.discardReadBytes()
    }

    private func deliver(_ body: [UInt8]) {
        let first = waiting.removeFirst()
        first.deadline.cancel()
        // SSH_AGENT_FAILURE; older agents send 102 and 30.
        first.answer([5, 30, 102].contains(body[0]) ? .failure(.refused) : .success(body))
    }

    /// Closes the socket and reports to all waiting callers. The first reason is kept.
    private func end(_ fault: KeyAgentFault) {
        guard !isOver else { return }
        self.fault = fault
        context?.close(promise: nil)
        while let next = waiting.popFirst() {
            next.deadline.cancel()
            next.answer(.failure(fault))
        }
    }
}

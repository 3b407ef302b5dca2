import NIOCore
import NIOPosix
import UpgradeDomain

/// One TCP connection from the host itself, whose handlers give one answer within a time.
enum OneConnection {
    private static let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Connects, waits for the answer, and closes the connection.
    ///
    /// - Parameters:
    ///   - address: not a name: a static executable must not call the resolver.
    ///   - late: the answer when the time is over.
    ///   - failed: the answer where there is no connection, from the reason.
    ///   - prepare: adds the handlers that give the answer.
    static func answer<Answer: Sendable>(
        from address: String, port: Int, withinSeconds seconds: Int, late: Answer,
        failed: @escaping @Sendable (UnknownReason) -> Answer,
        prepare: @escaping @Sendable (any Channel, EventLoopPromise<Answer>) throws -> Void
    ) -> Answer {
        guard let socket = try? SocketAddress(ipAddress: address, port: port) else {
            return failed(UnknownReason(.notRun, "'\(address)' is not an address"))
        }
        let loop = loops.next()
        let answer = loop.makePromise(of: Answer.self)
        let timeout = TimeAmount.seconds(Int64(seconds))
        let deadline = loop.scheduleTask(in: timeout) { answer.succeed(late) }
        let connection = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try prepare(channel, answer) }
            }
            .connect(to: socket)
        connection.whenFailure { error in
            let reason = (error as? IOError).map { systemErrorText($0.errnoCode) } ?? "\(error)"
            answer.succeed(failed(UnknownReason(.unreachable, "\(address) port \(port): \(reason)")))
        }
        answer.futureResult.whenComplete { _ in
            deadline.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
        }
        do {
            return try answer.futureResult.wait()
        } catch {
            return failed(UnknownReason(.unreachable, "\(error)"))
        }
    }
}

import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Resolves names with the system's resolver, on its own threads: getaddrinfo(3) blocks for as long as its name servers
/// take, and neither a connection nor the next name should wait for that. (SwiftNIO's own resolver handles the names of
/// an event loop one after the other.)
final class NameResolver: Sendable {
    /// Returns the addresses of a name, for each family in the order to try them (RFC 6724); may block.
    typealias Lookup = @Sendable (_ name: String, _ port: Int) throws -> [SocketAddress]

    /// Why a name has no address, in the system's words.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Names that are resolved at the same time. Further ones wait until one of these is answered or the system gives
    /// up on it.
    static let threadCount = 32

    private struct State {
        /// Started at the first name: most inventories contain only addresses.
        var pool: NIOThreadPool?
        var waiting: [Question: EventLoopPromise<[SocketAddress]>] = [:]
        var nextQuestion: Question = 0
        var isOver = false
    }

    typealias Question = UInt64

    private let lookup: Lookup
    private let state = Mutex(State())

    init(_ lookup: @escaping Lookup = NameResolver.system) {
        self.lookup = lookup
    }

    /// - Returns: a future on `loop`, and the value to pass to `giveUp` if the answer is no longer needed.
    func addresses(
        of name: String, port: Int, on loop: any EventLoop
    ) -> (question: Question, answer: EventLoopFuture<[SocketAddress]>) {
        let promise = loop.makePromise(of: [SocketAddress].self)
        return state.withLock { state in
            let question = state.nextQuestion
            state.nextQuestion += 1
            guard !state.isOver else {
                promise.fail(NameResolver.over)
                return (question, promise.futureResult)
            }
            state.waiting[question] = promise
            let pool = state.pool ?? NIOThreadPool(numberOfThreads: NameResolver.threadCount)
            if state.pool == nil { pool.start() }
            state.pool = pool
            pool.submit { _ in self.ask(question, name, port) }
            return (question, promise.futureResult)
        }
    }

    /// Blocks a thread of the pool. Does nothing for a question that was cancelled before its turn.
    private func ask(_ question: Question, _ name: String, _ port: Int) {
        guard state.withLock({ $0.waiting[question] != nil }) else { return }
        let answer = Result { try lookup(name, port) }
        // Under the lock, to be sure that its loop still runs.
        state.withLock { $0.waiting.removeValue(forKey: question)?.completeWith(answer) }
    }

    /// Call it on the loop of the question, whose future then fails at once.
    func giveUp(_ question: Question) {
        state.withLock { $0.waiting.removeValue(forKey: question) }?.fail(CancellationError())
    }

    /// Fails every question while the loops still run; does not wait for a lookup that blocks.
    func shutdown() {
        state.withLock { state in
            state.isOver = true
            for promise in state.waiting.values { promise.fail(NameResolver.over) }
            state.waiting = [:]
            state.pool?.shutdownGracefully { _ in }
        }
    }

    private static let over = Failure(description: "this side has ended")

    /// The addresses from getaddrinfo(3): /etc/hosts, DNS, or whatever nsswitch.conf configures.
    static let system: Lookup = { name, port in
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(name, "\(port)", &hints, &first)
        guard status == 0 else { throw Failure(description: String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(first) }
        return sequence(state: first) { next -> addrinfo? in
            defer { next = next?.pointee.ai_next }
            return next?.pointee
        }.compactMap { entry in
            switch entry.ai_family {
            case AF_INET:
                entry.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    SocketAddress($0.pointee, host: name)
                }
            case AF_INET6:
                entry.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    SocketAddress($0.pointee, host: name)
                }
            default: nil
            }
        }
    }
}

/// Gives known addresses to SwiftNIO, which tries them by "Happy Eyeballs" (RFC 8305).
struct KnownAddresses: Resolver, Sendable {
    let addresses: [SocketAddress]
    let loop: any EventLoop

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { known(.inet) }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { known(.inet6) }

    func cancelQueries() {}

    private func known(_ family: NIOBSDSocket.ProtocolFamily) -> EventLoopFuture<[SocketAddress]> {
        loop.makeSucceededFuture(addresses.filter { $0.protocol == family })
    }
}

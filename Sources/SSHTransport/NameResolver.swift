import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Asks the system's resolver for the addresses of a name, on threads of its own: getaddrinfo(3) blocks for as long as its name
/// servers let it, and the next name must neither wait for that nor stop a connection. (SwiftNIO's own resolver takes the names of an
/// event loop one after the other.)
final class NameResolver: Sendable {
    /// Returns the addresses in the order to try them in (RFC 6724); may block.
    typealias Lookup = @Sendable (_ name: String, _ port: Int) throws -> [SocketAddress]

    /// Why a name has no address, in the system's words.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Names that may be asked for at the same time; others wait.
    static let threadCount = 32

    private let lookup: Lookup
    /// Started at the first name: most inventories hold addresses.
    private let pool = Mutex<NIOThreadPool?>(nil)

    init(_ lookup: @escaping Lookup = NameResolver.system) {
        self.lookup = lookup
    }

    /// - Returns: a future of `loop`; a lookup cannot be taken back, so whoever gives it up ignores the outcome.
    func addresses(of name: String, port: Int, on loop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        let pool = pool.withLock { pool in
            if let pool { return pool }
            let started = NIOThreadPool(numberOfThreads: NameResolver.threadCount)
            started.start()
            pool = started
            return started
        }
        return pool.runIfActive(eventLoop: loop) { [lookup] in try lookup(name, port) }
    }

    /// Does not wait for a lookup that still blocks: nobody waits for its outcome either.
    func shutdown() {
        pool.withLock { $0 }?.shutdownGracefully { _ in }
    }

    /// What getaddrinfo(3) knows, from /etc/hosts, DNS, or wherever nsswitch.conf sends it.
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

/// Hands addresses that are known to SwiftNIO, which tries them by "Happy Eyeballs" (RFC 8305).
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

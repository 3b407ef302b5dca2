import NIOCore
import NIOPosix
import Synchronization

/// Owns the threads that all connections of this process share.
package final class SSHClient: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let names: NameResolver
    /// A connection thread, for tasks that talk to connections. A request from another thread costs two thread
    /// switches, a sixth of the total cost of a short visit. A task that computes there blocks the connections, so long
    /// work does not belong there. Ends with `shutdown`.
    package let executor: any TaskExecutor
    /// The public key that each login accepted last, so that a login does not fail twice for the same key.
    private let accepted = Mutex<[String: [UInt8]]>([:])
    /// Keyed by their whole route, because the same address may need different keys on different routes.
    private let jumpHosts = Mutex<[[SSHTarget.Place]: JumpHost]>([:])

    /// One thread carries hundreds of connections at about 2 ms of CPU each; more threads spread their cryptography.
    package convenience init(threadCount: Int = 1) {
        self.init(threadCount: threadCount, names: NameResolver())
    }

    init(threadCount: Int, names: NameResolver) {
        self.names = names
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threadCount))
        executor = LoopExecutor(loop: group.next())
    }

    /// Connects, checks the host's pinned key, then logs in; through its jump hosts, if it has any.
    ///
    /// Each phase has its deadline in `target.deadlines`. Cancelling the task abandons the attempt at once. A jump host
    /// is connected once for all hosts behind it, and stays connected until `shutdown`.
    /// - Throws: every code from `unreachable` to `agentFailed`; `connectionLost` if the server disconnects during the
    ///   login; `cancelled`; and errors of a jump host, under the name of `target`. In none of these cases has a
    ///   command run.
    package func connect(to target: SSHTarget) async throws(SSHError) -> SSHConnection {
        let turn = try await turn(before: target)
        let place = "\(target.user)@\(target.address):\(target.port)"
        let handle = handle(target.trying(first: accepted.withLock { $0[place] }), turn)
        let route = route(to: target, turn)
        let identity = try await handle.request { session, promise in
            session.connect(over: route, promise)
        } withdraw: { session, _ in
            session.fail(.cancelled)
        }
        accepted.withLock { $0[place] = identity.publicKeyBlob }
        return SSHConnection(handle)
    }

    /// The key that a host proves it owns, of the best type it has. There is no login.
    ///
    /// - Parameter target: its `hostKeys` and `identities` are not used, but those of its jump hosts are.
    /// - Throws: like `connect`, up to the key exchange.
    package func hostKey(of target: SSHTarget) async throws(SSHError) -> SSHHostKey {
        let turn = try await turn(before: target)
        let route = route(to: target, turn)
        return try await handle(target, turn).request { session, promise in
            session.readHostKey(over: route, promise)
        } withdraw: { session, _ in
            session.fail(.cancelled)
        }
    }

    private func handle(_ target: SSHTarget, _ turn: TunnelTurn?) -> SessionHandle {
        SessionHandle(target: target, loop: turn?.connection.loop ?? group.next())
    }

    private func route(to target: SSHTarget, _ turn: TunnelTurn?) -> any SessionRoute {
        if let turn { TunnelRoute(turn: turn) } else { SocketRoute(to: target, names: names) }
    }

    /// A turn on the last jump host; nil if there is none.
    private func turn(before target: SSHTarget) async throws(SSHError) -> TunnelTurn? {
        guard let jump = jumpHost(before: target) else { return nil }
        do {
            return try await jump.turn()
        } catch {
            throw target.error(behind: error)
        }
    }

    private func jumpHost(before target: SSHTarget) -> JumpHost? {
        guard var last = target.jumps.last else { return nil }
        last.jumps = target.jumps.dropLast()
        let way = target.jumps.map(\.place)
        return jumpHosts.withLock { jumpHosts in
            if let known = jumpHosts[way] { return known }
            let jumpHost = JumpHost { [weak self, last] () throws(SSHError) in
                guard let self else { throw last.error(.closed) }
                return try await connect(to: last)
            }
            jumpHosts[way] = jumpHost
            return jumpHost
        }
    }

    /// The ssh-agent behind a socket, used from this client's threads. Nothing is sent before a key needs it.
    ///
    /// - Parameter socketPath: as in `SSH_AUTH_SOCK`.
    package func agent(at socketPath: String) -> SSHAgent { SSHAgent(socketPath: socketPath, group: group) }

    /// Closes every connection and ends the threads. The client cannot be used afterwards.
    package func shutdown() async {
        for jumpHost in jumpHosts.withLock({ $0 }).values { await jumpHost.close() }
        names.shutdown()
        try? await group.shutdownGracefully()
    }
}

extension SSHTarget {
    /// The same, with the key of this blob first, if it is one of them.
    func trying(first blob: [UInt8]?) -> SSHTarget {
        var target = self
        let isKnown = { (identity: SSHIdentity) in identity.publicKeyBlob == blob }
        target.identities = identities.filter(isKnown) + identities.filter { !isKnown($0) }
        return target
    }
}

import NIOCore
import NIOPosix
import Synchronization

/// Owns the threads that all connections of this process share.
package final class SSHClient: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let names: NameResolver
    /// A thread of the connections, for tasks that talk to them: each request from another thread costs two changes of
    /// threads, a sixth of what a short visit costs in all. What a task computes there keeps the connections waiting, so
    /// long work does not belong there. Ends with `shutdown`.
    package let executor: any TaskExecutor
    /// The public key that each place accepted last, so that a login is not refused twice for the same key.
    private let accepted = Mutex<[String: [UInt8]]>([:])
    /// By their whole way, because two hosts may give the same place other keys.
    private let jumpHosts = Mutex<[[SSHTarget.Place]: JumpHost]>([:])

    /// One thread carries hundreds of connections at about 2 ms of CPU each; more spread their cryptography.
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
    /// Each phase has its deadline in `target.deadlines`. Cancelling the task gives the attempt up at once. A jump host is
    /// connected to once for all hosts behind it, and stays so until `shutdown`.
    /// - Throws: every code from `unreachable` to `agentFailed`, `connectionLost` when the server hangs up during the
    ///   login, and `cancelled`; what a jump host failed with, under the name of `target`. No command has run in any of
    ///   these cases.
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

    /// The key that a host proves to own, of the best type that it has; nobody logs in.
    ///
    /// - Parameter target: its `hostKeys` and `identities` are not used, those of its jump hosts are.
    /// - Throws: as `connect`, as far as the key exchange.
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

    /// A turn on the last jump host; nil when there is none.
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

    /// The ssh-agent behind a socket, to be asked from this client's threads; nothing is sent before a key needs it.
    ///
    /// - Parameter socketPath: as in `SSH_AUTH_SOCK`.
    package func agent(at socketPath: String) -> SSHAgent { SSHAgent(socketPath: socketPath, group: group) }

    /// Closes every connection and ends the threads; the client is of no use afterwards.
    package func shutdown() async {
        for jumpHost in jumpHosts.withLock({ $0 }).values { await jumpHost.close() }
        names.shutdown()
        try? await group.shutdownGracefully()
    }
}

extension SSHTarget {
    /// The same, with the key of this blob in front, if it is one of them.
    func trying(first blob: [UInt8]?) -> SSHTarget {
        var target = self
        let isKnown = { (identity: SSHIdentity) in identity.publicKeyBlob == blob }
        target.identities = identities.filter(isKnown) + identities.filter { !isKnown($0) }
        return target
    }
}

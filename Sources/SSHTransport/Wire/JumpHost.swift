import Synchronization

/// The connections to one jump host, shared by all hosts behind it.
///
/// Usually there is one: sshd's MaxSessions does not count tunnels, and its MaxStartups counts only logins. But libssh2
/// opens one channel of a connection at a time, and sshd needs minutes to answer for a host that drops packets. A
/// tunnel that takes longer than `TransportLimits.tunnelPatience` to open keeps its connection, and the next tunnels
/// use another one.
actor JumpHost {
    private struct Outer {
        let connection: SSHConnection
        /// The tunnels on it, including those that were cancelled but are still opening.
        var turns: Set<UInt64> = []
        /// The tunnel that is opening, and since when.
        var opening: (turn: UInt64, since: ContinuousClock.Instant)?
        /// Whether the opening tunnel was cancelled, so that it is unknown when the next one could open.
        var isSpent = false

        var isFree: Bool { opening == nil && turns.count < TransportLimits.tunnelCount }
        func isSlow(at now: ContinuousClock.Instant) -> Bool {
            opening.map { now - $0.since >= TransportLimits.tunnelPatience } ?? true
        }
    }

    private typealias Answer = Result<TunnelTurn, SSHError>

    private let connect: @Sendable () async throws(SSHError) -> SSHConnection
    private var outers: [Outer] = []
    private var waiting: [(id: UInt64, answer: CheckedContinuation<Answer, Never>)] = []
    private var nextID: UInt64 = 0
    private var isConnecting = false
    /// The last failed attempt to connect. For a while it is returned for the next attempts.
    private var failure: (error: SSHError, at: ContinuousClock.Instant)?
    private var isClosed = false

    init(_ connect: @escaping @Sendable () async throws(SSHError) -> SSHConnection) {
        self.connect = connect
    }

    /// Waits for a connection on which a tunnel can be opened now.
    ///
    /// - Throws: the error from connecting to the jump host; `cancelled`; `closed`.
    func turn() async throws(SSHError) -> TunnelTurn {
        let id = nextID
        nextID += 1
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiting.append((id, continuation))
                serve()
            }
        } onCancel: {
            Task { await self.withdraw(id) }
        }
        return try answer.get()
    }

    /// Closes its connections, and with them every session that runs through it.
    func close() async {
        isClosed = true
        let ending = outers
        outers = []
        serve()
        for outer in ending { await outer.connection.close() }
    }

    private func withdraw(_ id: UInt64) {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return }
        waiting.remove(at: index).answer.resume(returning: .failure(JumpHost.givenUp(.cancelled)))
    }

    private static func givenUp(_ code: SSHError.Code) -> SSHError {
        SSHError(code: code, host: "jump host", message: "the attempt was cancelled on this side")
    }

    /// Hands out turns while there are any, and opens another connection if the others are slow.
    private func serve() {
        outers.removeAll { !$0.connection.isOpen }
        if isClosed { return refuse(JumpHost.givenUp(.closed)) }
        let now = ContinuousClock.now
        while let index = outers.firstIndex(where: \.isFree), !waiting.isEmpty {
            let (id, answer) = waiting.removeFirst()
            outers[index].turns.insert(id)
            outers[index].opening = (id, now)
            answer.resume(returning: .success(TunnelTurn(id: id, on: outers[index].connection, of: self)))
            lookAgainWhenSlow()
        }
        guard !waiting.isEmpty, !isConnecting else { return }
        if outers.isEmpty, let failure, now - failure.at < TransportLimits.jumpFailurePause {
            return refuse(failure.error)
        }
        let usable = outers.filter { !$0.isSpent }
        guard usable.allSatisfy({ $0.isSlow(at: now) }), usable.count < TransportLimits.jumpConnectionCount else {
            return
        }
        isConnecting = true
        Task {
            do throws(SSHError) {
                connected(.success(try await connect()))
            } catch {
                connected(.failure(error))
            }
        }
    }

    private func lookAgainWhenSlow() {
        Task {
            try await Task.sleep(for: TransportLimits.tunnelPatience)
            serve()
        }
    }

    private func connected(_ result: Result<SSHConnection, SSHError>) {
        isConnecting = false
        switch result {
        case .success(let connection): outers.append(Outer(connection: connection))
        case .failure(let error):
            failure = (error, .now)
            // If there is another connection, it can still be used.
            if outers.isEmpty { refuse(error) }
        }
        serve()
    }

    private func refuse(_ error: SSHError) {
        for (_, answer) in waiting { answer.resume(returning: .failure(error)) }
        waiting = []
    }

    // MARK: The ends of turns, in any order

    /// The tunnel is open, or never will be.
    fileprivate func openingEnded(_ turn: UInt64) {
        guard let index = outers.firstIndex(where: { $0.opening?.turn == turn }) else { return }
        outers[index].opening = nil
        outers[index].isSpent = false
        serve()
    }

    /// The tunnel is no longer needed, but libssh2 is not done with it.
    fileprivate func givenUp(_ turn: UInt64) async {
        guard let index = outers.firstIndex(where: { $0.opening?.turn == turn }) else { return }
        outers[index].isSpent = true
        let isUnused = outers[index].turns == [turn]
        let unused = isUnused ? outers.remove(at: index) : nil
        serve()
        await unused?.connection.close()
    }

    fileprivate func ended(_ turn: UInt64) {
        for index in outers.indices { outers[index].turns.remove(turn) }
        openingEnded(turn)
    }
}

/// The right to open one tunnel on a connection to a jump host. The tunnel counts until this is dropped.
final class TunnelTurn: OpeningTurn {
    let connection: SSHConnection
    private let id: UInt64
    private let jumpHost: JumpHost

    init(id: UInt64, on connection: SSHConnection, of jumpHost: JumpHost) {
        self.id = id
        self.connection = connection
        self.jumpHost = jumpHost
    }

    deinit {
        Task { [id, jumpHost] in await jumpHost.ended(id) }
    }

    func openingEnded() {
        Task { [id, jumpHost] in await jumpHost.openingEnded(id) }
    }

    func givenUp() {
        Task { [id, jumpHost] in await jumpHost.givenUp(id) }
    }
}

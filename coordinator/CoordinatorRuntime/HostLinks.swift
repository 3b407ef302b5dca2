import AgentProtocol
import UpgradeDomain

/// One warm agent session per host, for as long as there is work for it.
actor HostLinks {
    /// How many connections may be made at once; servers drop more than ten unauthenticated ones by default, but
    /// these go to different servers.
    static let connectsAtOnce = 32
    static let helloTimeout = Duration.seconds(15)
    static let retryPause = Duration.milliseconds(500)

    private let connector: any HostConnector
    private let ledger: LedgerID
    private let epoch: UInt64
    private var links: [HostName: Task<Link, any Error>] = [:]
    private var connecting = 0
    private var queue: [CheckedContinuation<Void, Never>] = []

    struct Link: Sendable {
        let session: AgentSession
        let hello: HelloReply
    }

    init(connector: any HostConnector, ledger: LedgerID, epoch: UInt64) {
        self.connector = connector
        self.ledger = ledger
        self.epoch = epoch
    }

    /// The host's session, connecting if need be; a transient failure is retried until `patience` has passed.
    func link(to host: Host, patience: Duration) async throws(ContactFailure) -> Link {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while true {
            do {
                return try await attempt(host)
            } catch let failure {
                guard failure.isTransient, clock.now + HostLinks.retryPause < deadline, !Task.isCancelled else {
                    throw failure
                }
                try? await clock.sleep(for: HostLinks.retryPause)
            }
        }
    }

    private func attempt(_ host: Host) async throws(ContactFailure) -> Link {
        if let existing = links[host.name] {
            if let link = try? await existing.value, await link.session.isOpen { return link }
            if links[host.name] == existing { links[host.name] = nil }
        }
        let task = links[host.name] ?? Task { try await self.connect(host) }
        links[host.name] = task
        do {
            return try await task.value
        } catch {
            if links[host.name] == task { links[host.name] = nil }
            throw (error as? ContactFailure) ?? ContactFailure(.hostUnreachable, "\(error)")
        }
    }

    private func connect(_ host: Host) async throws(ContactFailure) -> Link {
        await enter()
        defer { leave() }
        let session = AgentSession(channel: try await connector.connect(to: host))
        do {
            let hello = try await session.open(
                HelloRequest(ledger: ledger, epoch: epoch), timeout: HostLinks.helloTimeout)
            return Link(session: session, hello: hello)
        } catch {
            await session.close()
            throw error
        }
    }

    private func enter() async {
        if connecting >= HostLinks.connectsAtOnce {
            await withCheckedContinuation { queue.append($0) }
        } else {
            connecting += 1
        }
    }

    private func leave() {
        if queue.isEmpty { connecting -= 1 } else { queue.removeFirst().resume() }
    }

    func closeAll() async {
        let open = links.values
        links = [:]
        for task in open {
            task.cancel()
            if let link = try? await task.value { await link.session.close() }
        }
    }
}

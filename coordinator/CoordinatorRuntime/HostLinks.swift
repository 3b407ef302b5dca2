import AgentProtocol
import Logging
import RolloutEngine
import UpgradeDomain

/// Keeps one open agent session per host as long as there is work for it.
actor HostLinks {
    /// How many connections may be opened at once. Servers drop more than ten unauthenticated ones by default, but
    /// these go to different servers.
    static let connectsAtOnce = 32
    static let helloTimeout = Duration.seconds(15)
    static let retryPause = Duration.milliseconds(500)
    /// A stalled connection takes longer than the patience, which alone does not mean that its host is lost.
    static let fewestAttempts = 2

    private let connector: any HostConnector
    private let hello: DrivingHello
    private let clock: RuntimeClock
    private let logger: Logger
    /// The plan's files, which each connection brings first.
    private let files: [CarriedFile]
    private var links: [HostName: Entry] = [:]
    private var connecting = 0
    private var queue: [CheckedContinuation<Void, Never>] = []

    struct Link: Sendable {
        let session: AgentSession
        let hello: HelloReply
    }

    /// A connection, open or being opened, and the host entry that it uses.
    private struct Entry {
        let host: Host
        let task: Task<Link, any Error>
    }

    init(
        connector: any HostConnector, hello: DrivingHello, carrying files: [CarriedFile], clock: RuntimeClock,
        logger: Logger
    ) {
        self.files = files
        self.logger = logger
        self.connector = connector
        self.hello = hello
        self.clock = clock
    }

    /// The host's session; connects if needed. A transient failure is retried at least once, and until `patience` has
    /// passed.
    func link(to host: Host, patience: Duration) async throws(ContactFailure) -> Link {
        try await retrying(patience) { () throws(ContactFailure) in try await self.attempt(host) }
    }

    private func retrying(
        _ patience: Duration, _ attempt: () async throws(ContactFailure) -> Link
    ) async throws(ContactFailure) -> Link {
        let deadline = clock.monotonic() + patience
        var attempts = 0
        while true {
            do {
                attempts += 1
                return try await attempt()
            } catch let failure {
                let isEarly = clock.monotonic() + HostLinks.retryPause < deadline
                guard failure.isTransient, isEarly || attempts < HostLinks.fewestAttempts, !Task.isCancelled else {
                    throw failure
                }
                try? await clock.sleep(HostLinks.retryPause)
            }
        }
    }

    private func attempt(_ host: Host) async throws(ContactFailure) -> Link {
        if let existing = links[host.name] {
            if existing.host == host, let link = try? await existing.task.value, await link.session.isOpen {
                return link
            }
            await drop(existing)
        }
        let entry =
            links[host.name]
            ?? Entry(host: host, task: Task(executorPreference: connector.executor) { try await self.connect(host) })
        links[host.name] = entry
        do {
            return try await entry.task.value
        } catch {
            await drop(entry)
            throw (error as? ContactFailure) ?? ContactFailure(.hostUnreachable, "\(error)")
        }
    }

    /// Drops a connection that failed, or whose host entry has changed.
    private func drop(_ entry: Entry) async {
        if links[entry.host.name]?.task == entry.task { links[entry.host.name] = nil }
        if let link = try? await entry.task.value { await link.session.close() }
    }

    private func connect(_ host: Host) async throws(ContactFailure) -> Link {
        await enter()
        defer { leave() }
        let logger = logger.about(host.name)
        do throws(ContactFailure) {
            logger.debug("connecting")
            let session = AgentSession(
                channel: try await connector.connect(to: host), clock: clock, executor: connector.executor)
            do throws(ContactFailure) {
                let link = Link(session: session, hello: try await hello.open(session, on: host.name))
                try await session.carry(files)
                logger.info("connected", metadata: ["agent": "\(link.hello.agentVersion)"])
                return link
            } catch {
                await session.close()
                throw error
            }
        } catch {
            logger.info(
                "could not connect", metadata: ["code": "\(error.code.rawValue)", "detail": "\(error.message)"])
            throw error
        }
    }

    /// A session over a new connection; the caller closes it.
    func newLink(to host: Host, patience: Duration) async throws(ContactFailure) -> Link {
        try await retrying(patience) { () throws(ContactFailure) in try await self.connect(host) }
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
        for entry in open {
            entry.task.cancel()
            if let link = try? await entry.task.value { await link.session.close() }
        }
    }
}

import AgentProtocol
import UpgradeDomain

/// Sessions that only read, and change nothing on their hosts; without an epoch they claim nothing either.
struct FleetReader: Sendable {
    static let hostsAtOnce = 32

    let connector: any HostConnector
    let ledger: LedgerID
    /// Deposes whoever drove the hosts before.
    var epoch: Epoch?
    let clock: RuntimeClock

    /// Says hello, asks, and closes the connection whatever came of it.
    func read<Answer: Sendable>(
        _ host: Host, _ ask: (AgentSession, HelloReply) async throws(ContactFailure) -> Answer
    ) async throws(ContactFailure) -> Answer {
        let session = AgentSession(
            channel: try await connector.connect(to: host), clock: clock, executor: connector.executor)
        do throws(ContactFailure) {
            let hello = try await session.open(
                HelloRequest(ledger: ledger, epoch: epoch), timeout: HostLinks.helloTimeout)
            let answer = try await ask(session, hello)
            await session.close()
            return answer
        } catch {
            await session.close()
            throw error
        }
    }

    /// One answer per host, in the order given, ``hostsAtOnce`` at a time.
    func answers<Answer: Sendable>(
        of hosts: [Host], _ ask: @Sendable @escaping (Host) async -> Answer
    ) async -> [Answer] {
        await withTaskGroup(of: (Int, Answer).self) { group in
            var answers: [Int: Answer] = [:]
            for (index, host) in hosts.enumerated() {
                if index >= FleetReader.hostsAtOnce, let (done, answer) = await group.next() { answers[done] = answer }
                group.addTask(executorPreference: connector.executor) { (index, await ask(host)) }
            }
            for await (done, answer) in group { answers[done] = answer }
            return hosts.indices.compactMap { answers[$0] }
        }
    }
}

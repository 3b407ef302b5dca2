import AgentProtocol
import UpgradeDomain

/// Opens sessions that start read-only: they claim nothing.
struct FleetReader: Sendable {
    static let hostsAtOnce = 32

    let connector: any HostConnector
    let ledger: LedgerID
    let clock: RuntimeClock

    /// Sends hello without an epoch, asks, and closes the connection in any case.
    func read<Answer: Sendable>(
        _ host: Host, _ ask: (AgentSession, HelloReply) async throws(ContactFailure) -> Answer
    ) async throws(ContactFailure) -> Answer {
        let session = AgentSession(
            channel: try await connector.connect(to: host), clock: clock, executor: connector.executor)
        do throws(ContactFailure) {
            let hello = try await session.open(
                HelloRequest(ledger: ledger, epoch: nil), timeout: HostLinks.helloTimeout)
            let answer = try await ask(session, hello)
            await session.close()
            return answer
        } catch {
            await session.close()
            throw error
        }
    }

    /// One answer or failure per host, in the order given.
    func results<Answer: Sendable>(
        of hosts: [Host], _ ask: @Sendable @escaping (Host) async throws(ContactFailure) -> Answer
    ) async -> [Result<Answer, ContactFailure>] {
        await answers(of: hosts) { host in
            do throws(ContactFailure) {
                return .success(try await ask(host))
            } catch {
                return .failure(error)
            }
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

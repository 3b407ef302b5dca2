package import SSHTransport
package import UpgradeDomain

/// Asks hosts for their keys.
package struct HostKeyScan {
    /// How many hosts are asked at once.
    static let width = 32

    private let connector: SSHConnector

    package init(over connector: SSHConnector) { self.connector = connector }

    /// What one host answered.
    package struct Answer {
        package let host: UpgradeDomain.Host
        package let key: Result<SSHHostKey, SSHError>
    }

    /// One answer per host, in the order given.
    package func answers(of hosts: [UpgradeDomain.Host]) async -> [Answer] {
        await withTaskGroup(of: (Int, Answer).self) { group in
            var answers: [Answer?] = Array(repeating: nil, count: hosts.count)
            for (index, host) in hosts.enumerated() {
                if index >= HostKeyScan.width, let (done, answer) = await group.next() { answers[done] = answer }
                group.addTask { (index, await ask(host)) }
            }
            for await (done, answer) in group { answers[done] = answer }
            return answers.compactMap(\.self)
        }
    }

    private func ask(_ host: UpgradeDomain.Host) async -> Answer {
        do throws(SSHError) {
            return Answer(host: host, key: .success(try await connector.hostKey(of: host)))
        } catch {
            return Answer(host: host, key: .failure(error))
        }
    }
}

import CoordinatorRuntime
import Foundation
import SSHTransport
import SafeText
import SystemPackage
import UpgradeDomain

/// Asks hosts for their keys, and a person whether these are the right ones.
struct HostKeyScan {
    /// Hosts that are asked at once.
    static let width = 32

    let connector: SSHConnector
    /// Fingerprints that are known to be right.
    let accepted: Set<String>

    /// What one host answered.
    struct Answer {
        let host: UpgradeDomain.Host
        let key: Result<SSHHostKey, SSHError>
    }

    /// One answer per host, in the order given.
    func answers(of hosts: [UpgradeDomain.Host]) async -> [Answer] {
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

    /// The hosts whose key somebody vouches for: by `accepted`, or on the terminal, all that are left at once.
    func confirmed(_ candidates: [(host: HostName, key: SSHHostKey)], _ context: Context) throws -> Set<HostName> {
        let known = candidates.filter { accepted.contains($0.key.fingerprint) }
        let unknown = candidates.filter { !accepted.contains($0.key.fingerprint) }
        guard !unknown.isEmpty, accepted.isEmpty, try ask(about: unknown, context) else {
            return Set(known.map(\.host))
        }
        return Set(candidates.map(\.host))
    }

    /// Whether the person at the terminal says yes; without a terminal nobody does.
    private func ask(about keys: [(host: HostName, key: SSHHostKey)], _ context: Context) throws -> Bool {
        let table = TextTable(
            headers: ["HOST", "TYPE", "FINGERPRINT"],
            rows: keys.map { ["\($0.host)", "\($0.key.type)", "\($0.key.fingerprint)"] })
        let answer = try Renderer.ask(
            table.lines(width: context.width, style: .plain) + [
                "Compare each with what the host itself says on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            ], "Pin these keys? Only \"yes\" does:")
        return answer == "yes"
    }
}

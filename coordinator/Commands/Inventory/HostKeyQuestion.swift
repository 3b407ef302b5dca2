import SSHTransport
import SafeText
import UpgradeDomain

/// Asks a person whether the keys that hosts show are the right ones.
struct HostKeyQuestion {
    /// Fingerprints that are known to be correct.
    let accepted: Set<String>

    /// The hosts whose key is confirmed: by `accepted`, or on the terminal, where one question covers all other hosts.
    func confirmed(_ candidates: [(host: HostName, key: SSHHostKey)], _ context: Context) throws -> Set<HostName> {
        let known = candidates.filter { accepted.contains($0.key.fingerprint) }
        let unknown = candidates.filter { !accepted.contains($0.key.fingerprint) }
        guard !unknown.isEmpty, accepted.isEmpty, try ask(about: unknown, context) else {
            return Set(known.map(\.host))
        }
        return Set(candidates.map(\.host))
    }

    /// Whether the person at the terminal says yes; false without a terminal.
    private func ask(about keys: [(host: HostName, key: SSHHostKey)], _ context: Context) throws -> Bool {
        let table = TextTable(
            headers: ["HOST", "TYPE", "FINGERPRINT"],
            rows: keys.map { ["\($0.host)", "\($0.key.type)", "\($0.key.fingerprint)"] })
        let answer = try Renderer.ask(
            table.lines(width: context.width, style: .plain) + [
                "Compare each with what the host prints on its own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
            ], "Pin these keys? Type \"yes\" to confirm:")
        return answer == "yes"
    }
}

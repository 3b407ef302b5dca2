import Subprocess
import UpgradeDomain

/// OpenSSH's own matcher over a known_hosts file.
struct KnownHosts {
    static let outputBytes = 1_048_576
    /// What libssh2 proves; OpenSSH's own client knows RSA host keys as well.
    static let usableTypes = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]

    let path: String

    struct Match: Hashable {
        var keys: [HostKey] = []
        /// Lines that match but give no key to pin, and why.
        var remarks: [String] = []
        /// Keys that the file marks `@revoked`; never among ``keys``.
        var revoked: [HostKey] = []
    }

    /// What `ssh-keygen -F` finds for a host, hashed names and ports included; under its HostKeyAlias where it has one, without
    /// a port, as `ssh` does.
    func match(for host: Host) async throws -> Match {
        let name = host.ssh?.hostKeyAlias ?? (host.port == 22 ? host.address : "[\(host.address)]:\(host.port)")
        do {
            let record = try await Subprocess.run(
                .name("ssh-keygen"), arguments: ["-F", name, "-f", path],
                output: .string(limit: KnownHosts.outputBytes),
                error: .string(limit: KnownHosts.outputBytes))
            let types = KnownHosts.usableTypes + (host.transport == .openssh ? ["ssh-rsa"] : [])
            return KnownHosts.read(record.standardOutput, types: types)
        } catch {
            throw CommandError(
                .failure, "ssh-keygen could not be run: \(error)", next: "apt-get install openssh-client")
        }
    }

    /// Reads the lines that `ssh-keygen -F` prints.
    static func read(_ output: String, types: [String] = usableTypes) -> Match {
        var match = Match()
        for line in output.split(separator: "\n") where !line.hasPrefix("#") {
            var columns = line.split(separator: " ")[...]
            let isRevoked = columns.first == "@revoked"
            if isRevoked { columns = columns.dropFirst() }
            if columns.first == "@cert-authority" {
                match.remarks.append("certificate authorities are not supported; pin its own key")
                continue
            }
            guard columns.count >= 3 else { continue }
            columns = columns.dropFirst()
            let type = String(columns[columns.startIndex])
            if isRevoked {
                match.revoked.append(HostKey(type: type, base64: String(columns[columns.startIndex + 1])))
                continue
            }
            guard types.contains(type) else {
                match.remarks.append("\(type) keys are not used")
                continue
            }
            let key = HostKey(type: type, base64: String(columns[columns.startIndex + 1]))
            if !match.keys.contains(key) { match.keys.append(key) }
        }
        match.keys.removeAll(where: match.revoked.contains)
        return match
    }
}

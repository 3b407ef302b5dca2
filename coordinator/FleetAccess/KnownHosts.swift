import Foundation
import OperatorCommands
import SSHTransport
import SafeText
import Subprocess
package import UpgradeDomain

/// OpenSSH's own matcher over a known_hosts file.
package struct KnownHosts {
    static let outputBytes = 1_048_576
    /// What libssh2 proves; OpenSSH's own client knows RSA host keys as well.
    static let usableTypes = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]

    private let path: String

    package init(path: String) { self.path = path }

    /// What a file of known hosts has for one host.
    package struct Match: Hashable {
        package internal(set) var keys: [HostKey] = []
        /// Lines that match but give no key to pin, and why.
        package internal(set) var remarks: [String] = []
        /// Keys that the file marks `@revoked`; never among ``keys``.
        package internal(set) var revoked: [HostKey] = []
        /// Whether the file revokes a key for it that can not be read.
        package internal(set) var isUnsure = false
    }

    /// What `ssh-keygen -F` finds for a host, hashed names and ports included; under its HostKeyAlias where it has one, without
    /// a port, as `ssh` does.
    package func match(for host: UpgradeDomain.Host) async throws -> Match {
        let name = host.ssh?.hostKeyAlias ?? (host.port == 22 ? host.address : "[\(host.address)]:\(host.port)")
        do {
            let record = try await Subprocess.run(
                .name("ssh-keygen"), arguments: ["-F", name, "-f", path],
                output: .string(limit: KnownHosts.outputBytes),
                error: .string(limit: KnownHosts.outputBytes))
            let types = KnownHosts.usableTypes + (host.transport == .openssh ? ["ssh-rsa"] : [])
            return KnownHosts.read(record.standardOutput, types: types)
        } catch {
            throw FleetAccessError(
                "ssh-keygen could not be run: \(error)",
                next: .program(words: ["apt-get", "install", "openssh-client"]))
        }
    }

    /// Reads the lines that `ssh-keygen -F` prints, which end as those of the file do.
    static func read(_ output: String, types: [String] = usableTypes) -> Match {
        var match = Match()
        for line in output.lines where !line.begins(with: "#") {
            var columns = line.fields()[...]
            let isRevoked = columns.first == "@revoked"
            if isRevoked { columns = columns.dropFirst() }
            if columns.first == "@cert-authority" {
                match.remarks.append("certificate authorities are not supported; pin its own key")
                continue
            }
            guard !columns.isEmpty else { continue }
            guard columns.count >= 3, let key = HostKey(type: columns.dropFirst().first, columns.dropFirst(2).first)
            else {
                match.remarks.append("a \(isRevoked ? "@revoked line" : "line") for it holds no key that can be read")
                if isRevoked { match.isUnsure = true }
                continue
            }
            if isRevoked {
                match.revoked.append(key)
            } else if !types.contains(key.type) {
                match.remarks.append("\(key.type) keys are not used")
            } else if !match.keys.contains(key) {
                match.keys.append(key)
            }
        }
        match.keys.removeAll(where: match.revoked.contains)
        // Nobody knows which of them was revoked.
        if match.isUnsure { match.keys = [] }
        return match
    }
}

extension HostKey {
    /// nil where the base64 can not be decoded to a key of that type. It is kept in its one spelling, so that a key is found
    /// again that somebody wrote with other padding.
    fileprivate init?(type: Substring?, _ base64: Substring?) {
        guard let type, let base64, let blob = Data(base64Encoded: String(base64)),
            let key = SSHHostKey(blob: [UInt8](blob)), key.type == String(type)
        else { return nil }
        self.init(type: key.type, base64: blob.base64EncodedString())
    }
}

import Foundation
import OperatorCommands
import SSHTransport
import SafeText
import Subprocess
package import UpgradeDomain

/// Matches hosts against a known_hosts file with OpenSSH's own matcher.
package struct KnownHosts {
    static let outputBytes = 1_048_576
    /// The key types that libssh2 verifies; OpenSSH's own client also supports RSA host keys.
    static let usableTypes = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"]

    private let path: String

    package init(path: String) { self.path = path }

    /// The entries of a known_hosts file for one host.
    package struct Match: Hashable {
        package internal(set) var keys: [HostKey] = []
        /// Why matching lines give no key to pin.
        package internal(set) var remarks: [String] = []
        /// Keys that the file marks `@revoked`; never among ``keys``.
        package internal(set) var revoked: [HostKey] = []
        /// Whether the file revokes a key of the host that can not be read.
        package internal(set) var isUnsure = false
    }

    /// What `ssh-keygen -F` finds for a host, including hashed names and ports. A HostKeyAlias is looked up without a
    /// port, as `ssh` does.
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

    /// Reads the output of `ssh-keygen -F`, which has the line endings of the file.
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
                match.remarks.append("a \(isRevoked ? "@revoked line" : "line") for it has no readable key")
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
        // It is unknown which of them was revoked.
        if match.isUnsure { match.keys = [] }
        return match
    }
}

extension HostKey {
    /// Nil if the base64 can not be decoded to a key of that type. The base64 is normalized, so that keys compare equal
    /// even if they were written with other padding.
    fileprivate init?(type: Substring?, _ base64: Substring?) {
        guard let type, let base64, let blob = Data(base64Encoded: String(base64)),
            let key = SSHHostKey(blob: [UInt8](blob)), key.type == String(type)
        else { return nil }
        self.init(type: key.type, base64: blob.base64EncodedString())
    }
}

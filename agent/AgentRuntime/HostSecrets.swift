import Glibc
import UpgradeDomain

/// The values of secret headers, read on the host for one surface and told to nobody.
struct HostSecrets {
    /// Header name -> value, with its prefix.
    let headers: [String: String]
    /// Masks them in whatever the server says.
    let redactor: Redactor

    /// - Throws: why a file could not be read; never what it holds.
    init(_ references: [String: SecretReference]) throws(UnknownReason) {
        var headers: [String: String] = [:]
        var secrets: [[UInt8]] = []
        for (name, reference) in references {
            let secret = try HostSecrets.read(reference.file)
            headers[name] = reference.prefix + String(decoding: secret, as: UTF8.self)
            secrets.append(secret)
        }
        self.headers = headers
        redactor = Redactor(secrets)
    }

    /// What stands in files that hold secrets; one that is not there holds none.
    ///
    /// - Throws: why one that is there could not be read.
    static func values(in files: [String]) throws(UnknownReason) -> [[UInt8]] {
        var values: [[UInt8]] = []
        for file in files where access(file, F_OK) == 0 || errno != ENOENT { values.append(try read(file)) }
        return values
    }

    private static func read(_ path: String) throws(UnknownReason) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            throw UnknownReason(.notRun, "the secret in \(path) can not be read: \(systemErrorText(errno))")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: AgentLimits.secretFileBytes + 1)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0a, 0x0d].contains($0) }
        let text = bytes.prefix(max(0, count)).drop(while: isSpace)
        let secret = Array(text.reversed().drop(while: isSpace).reversed())
        guard !secret.isEmpty, secret.count <= AgentLimits.secretFileBytes,
            secret.allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
        else { throw UnknownReason(.notRun, "the secret in \(path) is empty or no line of text") }
        return secret
    }
}

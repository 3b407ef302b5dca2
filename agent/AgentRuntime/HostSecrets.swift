import ContentDigest
import Glibc
import UpgradeDomain

/// The values of secret headers, read on the host for one surface and never shown.
struct HostSecrets {
    /// Header name -> value, with its prefix.
    let headers: [String: String]
    /// Masks them in every answer of the server.
    let redactor: Redactor

    /// - Throws: why a file could not be read; never its content.
    /// - Parameter others: additional secrets to mask.
    init(_ references: [String: SecretReference], others: [[UInt8]] = []) throws(UnknownReason) {
        var headers: [String: String] = [:]
        var secrets = others
        for (name, reference) in references {
            let secret = try HostSecrets.read(reference.file)
            headers[name] = reference.prefix + String(decoding: secret, as: UTF8.self)
            secrets.append(secret)
        }
        self.headers = headers
        redactor = Redactor(secrets)
    }

    /// The secrets in files, one per line. A missing or empty file holds none.
    struct Values {
        var lines: [[UInt8]] = []
        /// Why an existing file could not be read.
        var failure: UnknownReason?

        init(in files: [String]) {
            for file in files {
                let descriptor = openOrdinaryFile(file)
                guard descriptor >= 0 else {
                    if errno != ENOENT { failure = Self.failure(file, systemErrorText(errno)) }
                    continue
                }
                defer { close(descriptor) }
                var bytes = [UInt8](repeating: 0, count: AgentLimits.secretFileBytes + 1)
                let count = Glibc.read(descriptor, &bytes, bytes.count)
                guard count >= 0, count <= AgentLimits.secretFileBytes else {
                    failure = Self.failure(file, count < 0 ? systemErrorText(errno) : "it is too large")
                    continue
                }
                lines += bytes[..<count].split { $0 == 0x0a || $0 == 0x0d }.map { line in
                    Array(line.drop(while: HostSecrets.isSpace).reversed().drop(while: HostSecrets.isSpace).reversed())
                }.filter { !$0.isEmpty }
            }
        }

        private static func failure(_ file: String, _ words: String) -> UnknownReason {
            UnknownReason(.notRun, "the secret in \(file) can not be read: \(words)")
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0a, 0x0d].contains(byte) }

    private static func read(_ path: String) throws(UnknownReason) -> [UInt8] {
        let descriptor = openOrdinaryFile(path)
        guard descriptor >= 0 else {
            throw UnknownReason(.notRun, "the secret in \(path) can not be read: \(systemErrorText(errno))")
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: AgentLimits.secretFileBytes + 1)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        let text = bytes.prefix(max(0, count)).drop(while: isSpace)
        let secret = Array(text.reversed().drop(while: isSpace).reversed())
        guard !secret.isEmpty, secret.count <= AgentLimits.secretFileBytes,
            secret.allSatisfy({ $0 >= 0x20 && $0 < 0x7f })
        else { throw UnknownReason(.notRun, "the secret in \(path) is empty or not a single line of text") }
        return secret
    }
}

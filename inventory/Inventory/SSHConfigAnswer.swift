package import UpgradeDomain

/// What `ssh -G` prints for one host: every option that holds for it, with its value, a line each.
///
/// OpenSSH has read ssh_config itself then, with Include, Match and all its defaults, so no file is parsed here.
package struct SSHConfigAnswer: Hashable, Sendable {
    /// `-T`, because without a terminal `ssh` would remark that it allocates none.
    static let arguments = ["-T", "-G"]
    /// Asks for OpenSSH's own defaults.
    package static let defaultsArguments = arguments + ["-F", "none", "--", "defaults.invalid"]

    /// By the option's name in lower case, as it is printed; several values where an option stands several times.
    private var values: [String: [String]] = [:]

    package init(_ output: String) {
        for line in output.utf8.split(separator: 0x0a) {
            let words = line.split(separator: 0x20, maxSplits: 1).map { String(Substring($0)) }
            guard words.count == 2 else { continue }
            values[words[0].lowercasedASCII, default: []].append(words[1])
        }
    }

    /// Every value of an option, by its name in ssh_config(5).
    func all(_ option: String) -> [String] { values[option.lowercased()] ?? [] }

    /// The value of an option that has one.
    func first(_ option: String) -> String? { all(option).first }
}

/// What OpenSSH answers about an inventory's hosts.
package struct SSHConfigAnswers: Sendable {
    /// The ssh_config that was read; `none` for none, nil for OpenSSH's own files.
    package var configFile: String?
    /// What holds without any ssh_config.
    package var defaults: SSHConfigAnswer
    /// A host without an answer has the defaults.
    package var hosts: [HostName: SSHConfigAnswer]
    /// Hosts that OpenSSH gives no answer for, and its words.
    package var failures: [HostName: String]

    package init(
        configFile: String?, defaults: SSHConfigAnswer, hosts: [HostName: SSHConfigAnswer] = [:],
        failures: [HostName: String] = [:]
    ) {
        self.configFile = configFile
        self.defaults = defaults
        self.hosts = hosts
        self.failures = failures
    }
}

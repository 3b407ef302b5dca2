package import UpgradeDomain

/// The output of `ssh -G` for one host: every option that applies to it, with its value, one per line.
///
/// OpenSSH itself reads ssh_config, with Include, Match and all defaults, so no file is parsed here.
package struct SSHConfigAnswer: Hashable, Sendable {
    /// `-T`, because without a terminal `ssh` would warn that it does not allocate one.
    static let arguments = ["-T", "-G"]
    /// Asks for OpenSSH's own defaults.
    package static let defaultsArguments = arguments + ["-F", "none", "--", "defaults.invalid"]

    /// By the option's name in lower case, as printed; several values if an option is printed several times.
    private var values: [String: [String]] = [:]

    /// The options that are read here, in lower case; `ssh` prints about three times as many.
    private static let used = Set(
        (SSHOption.all.map(\.name) + ["HostKeyAlias", "HostName", "IdentityFile", "Port", "ProxyJump", "User"]).map {
            $0.lowercased()
        })

    package init(_ output: String) { self.init(Array(output.utf8)) }

    package init(_ output: [UInt8]) {
        for line in output.split(separator: 0x0a) {
            guard let end = line.firstIndex(of: 0x20), end + 1 < line.endIndex else { continue }
            let name = String(decoding: line[..<end], as: UTF8.self).lowercasedASCII
            guard SSHConfigAnswer.used.contains(name) else { continue }
            values[name, default: []].append(String(decoding: line[(end + 1)...], as: UTF8.self))
        }
    }

    /// The jump hosts, in the order in which they are passed, with commas between.
    package var proxyJump: String? { first("ProxyJump") }

    /// Every value of an option, by its name in ssh_config(5).
    func all(_ option: String) -> [String] {
        let name = option.lowercased()
        assert(SSHConfigAnswer.used.contains(name), "the option \(option) is not kept")
        return values[name] ?? []
    }

    /// The value of an option that has one.
    func first(_ option: String) -> String? { all(option).first }
}

/// OpenSSH's answers for the hosts of an inventory.
package struct SSHConfigAnswers: Sendable {
    /// The ssh_config that was read; `none` for none, nil for OpenSSH's own files.
    package var configFile: String?
    /// The options without any ssh_config.
    package var defaults: SSHConfigAnswer
    /// A host without an answer has the defaults.
    package var hosts: [HostName: SSHConfigAnswer]
    /// Hosts for which OpenSSH gives no answer, and its message.
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

package import FileReading
package import UpgradeDomain

/// An inventory file as written, before ssh_config fills in the settings that it leaves out.
package struct InventoryDraft: Sendable {
    /// The file name in problem reports.
    package let file: String
    /// The ssh_config to read, as written; `none` for none, nil for OpenSSH's own files.
    package internal(set) var sshConfig: String?
    /// The problems of the text.
    package internal(set) var problems: [FileProblem] = []
    /// How many more problems there are.
    var unlistedProblems = 0
    var layers: [InventoryLayer] = []
    var entries: [Entry] = []

    init(file: String) { self.file = file }

    /// A host's entry.
    struct Entry: Sendable {
        /// With OpenSSH's default port, and without a user, if the entry does not set them.
        var host: Host
        var said: Said
        /// The line number, from 1.
        var line: Int
        /// Whether none of its layers was refused.
        var hasWholeLayers: Bool
        /// Whether the host to go through is that of its groups or of the defaults.
        var inheritsJump = false
        var overruled: [Overruled] = []
    }

    /// What one group of a host says and a later one says otherwise.
    package struct Overruled: Hashable, Sendable {
        /// As the file has it, such as `port` or `variables.site`.
        package var key: String
        package var group: String
        package var by: String
    }

    /// What later groups say otherwise than earlier ones, with the hosts where that is so, in the order of the file.
    package var overruled: [(what: Overruled, hosts: [HostName])] {
        var order: [Overruled] = []
        var hosts: [Overruled: [HostName]] = [:]
        for entry in entries {
            for what in entry.overruled {
                if hosts[what] == nil { order.append(what) }
                hosts[what, default: []].append(entry.host.name)
            }
        }
        return order.map { ($0, hosts[$0] ?? []) }
    }

    /// What the entry, or the defaults, set explicitly. It has precedence over ssh_config.
    struct Said: Sendable {
        var port: Int?
        var user: String?
        var identityFile: String?
        var jump: HostName?
        /// Whether it is reached without a jump host, whatever ssh_config says.
        var isDirect = false
    }

    /// A host to resolve with `ssh -G`, and the arguments.
    package struct Question: Hashable, Sendable {
        package var host: HostName
        package var arguments: [String]
    }

    /// One question for each host with an address; none if ssh_config is not used.
    /// - Parameter configFile: the path of ``sshConfig``.
    package func questions(configFile: String?) -> [Question] {
        guard configFile != "none" else { return [] }
        return entries.filter { HostAddress.isHarmless($0.host.address) }.map { entry in
            var arguments = configFile.map { ["-F", $0] } ?? []
            if let port = entry.said.port { arguments += ["-p", "\(port)"] }
            if let user = entry.said.user { arguments += ["-l", user] }
            return Question(
                host: entry.host.name, arguments: SSHConfigAnswer.arguments + arguments + ["--", entry.host.address])
        }
    }
}

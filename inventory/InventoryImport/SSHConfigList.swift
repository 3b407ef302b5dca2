import Inventory
import SafeText

/// The hosts that an ssh_config names: words of `Host` lines without patterns. What is set for them is asked of OpenSSH
/// itself, as for every host.
package struct SSHConfigList {
    /// How deep files include each other, as in OpenSSH (`READCONF_MAX_DEPTH`).
    static let depth = 16
    /// How many files are read at most.
    static let files = 1_000

    private let file: String
    /// The names of the files that a pattern of Include stands for, with their texts.
    private let included: (String) -> [(name: String, text: String)]
    private var hosts: [ForeignHost] = []
    private var groups: [ForeignGroup] = []
    private var places: [String: Int] = [:]
    private var count = 0

    /// - Parameters:
    ///   - text: the ssh_config.
    ///   - file: its path, as problem reports name it.
    ///   - included: the files that a word of `Include` stands for.
    package static func read(
        text: String, file: String, included: @escaping (String) -> [(name: String, text: String)]
    ) -> ForeignInventory {
        var list = SSHConfigList(file: file, included: included)
        list.take(text, of: file, depth: SSHConfigList.depth)
        var inventory = ForeignInventory(file: file)
        inventory.hosts = list.hosts.map { host in
            var host = host
            host.groups.append("all")
            return host
        }
        inventory.groups = [ForeignGroup(name: "all", children: list.groups.map(\.name))] + list.groups
        inventory.sshConfig = file
        if list.hosts.isEmpty {
            inventory.report(1, "no Host line names a host without a pattern", "name the hosts: 'Host db-1'")
        }
        return inventory
    }

    private init(file: String, included: @escaping (String) -> [(name: String, text: String)]) {
        self.file = file
        self.included = included
    }

    /// A group has the hosts of one file, and the file's name without what follows the first dot.
    private mutating func take(_ text: String, of path: String, depth: Int) {
        count += 1
        guard depth > 0, count <= SSHConfigList.files else { return }
        for (index, line) in text.lines.enumerated() {
            let keyword = line.trimmed.prefix(upToAnyOf: " \t=\"").lowercased()
            guard keyword == "host" || keyword == "include" else { continue }
            let rest = Substring(line.trimmed.utf8.dropFirst(keyword.utf8.count)).trimmed
            let words = SSHWords.split(String((rest.rest(after: "=") ?? rest).prefix(upToAnyOf: "#")))
            if keyword == "include" {
                for file in words.flatMap(included) { take(file.text, of: file.name, depth: depth - 1) }
            } else {
                let line = path == file ? index + 1 : 0
                for word in words where !word.holds(anyOf: "*?!") { add(word, of: path, line) }
            }
        }
    }

    private mutating func add(_ name: String, of path: String, _ line: Int) {
        guard places[name] == nil else { return }
        places[name] = hosts.count
        var host = ForeignHost(name: name, line: line)
        let base = path.fields(separatedBy: "/").last.map { String($0.prefix(upToAnyOf: ".")) } ?? ""
        let group = base.isEmpty ? "ssh_config" : base
        host.groups = [group]
        hosts.append(host)
        if let index = groups.firstIndex(where: { $0.name == group }) {
            groups[index].hosts.append(name)
        } else {
            groups.append(ForeignGroup(name: group, hosts: [name]))
        }
    }
}

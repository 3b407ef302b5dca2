package import FileReading
import Inventory
import SafeText

/// The hosts that an ssh_config names: words of `Host` lines without patterns. What is set for them is asked of OpenSSH
/// itself, as for every host.
package struct SSHConfigList {
    /// How deep files include each other, as in OpenSSH (`READCONF_MAX_DEPTH`).
    static let depth = 16
    /// How many files are included at most.
    package static let files = 1_000

    private let file: String
    /// The paths that a word of `Include` stands for.
    private let paths: (String) -> [String]
    /// The text of an included file; nil where there is none to read.
    private let text: (String) throws -> String?
    private var problems: [FileProblem] = []
    private var hosts: [ForeignHost] = []
    private var groups: [ForeignGroup] = []
    private var places: [String: Int] = [:]
    private var count = 0
    private var isOverLimit = false

    /// - Parameters:
    ///   - text: the ssh_config.
    ///   - file: its path, as problem reports name it.
    ///   - paths: the paths that a word of `Include` stands for.
    ///   - included: the text of such a file; nil for a folder or a broken link, in which OpenSSH finds no line either.
    /// - Throws: all problems. An `Include` beyond the limits is one: its hosts would be missing.
    package static func read(
        text: String, file: String, paths: @escaping (String) -> [String],
        included: @escaping (String) throws -> String?
    ) throws(FileProblems) -> ForeignInventory {
        var list = SSHConfigList(file: file, paths: paths, text: included)
        list.take(text, of: file, depth: 0)
        var inventory = ForeignInventory(file: file)
        inventory.hosts = list.hosts.map { host in
            var host = host
            host.groups.append("all")
            return host
        }
        inventory.groups = [ForeignGroup(name: "all", children: list.groups.map(\.name))] + list.groups
        inventory.sshConfig = file
        if list.hosts.isEmpty, list.problems.isEmpty {
            list.report(file, 1, "no Host line names a host without a pattern", "name the hosts: 'Host db-1'")
        }
        guard list.problems.isEmpty else { throw FileProblems(list.problems) }
        return inventory
    }

    private init(
        file: String, paths: @escaping (String) -> [String], text: @escaping (String) throws -> String?
    ) {
        (self.file, self.paths, self.text) = (file, paths, text)
    }

    /// A group has the hosts of one file, and the file's name without what follows the first dot.
    private mutating func take(_ text: String, of path: String, depth: Int) {
        for (index, line) in text.lines.enumerated() {
            let keyword = line.trimmed.prefix(upToAnyOf: " \t=\"").lowercased()
            guard keyword == "host" || keyword == "include" else { continue }
            let rest = Substring(line.trimmed.utf8.dropFirst(keyword.utf8.count)).trimmed
            let words = SSHWords.split(String((rest.rest(after: "=") ?? rest).prefix(upToAnyOf: "#")))
            if keyword == "include" {
                for word in words { include(word, from: path, index + 1, depth: depth + 1) }
            } else {
                let line = path == file ? index + 1 : 0
                for word in words where !word.holds(anyOf: "*?!") { add(word, of: path, line) }
            }
        }
    }

    /// Each file is counted before it is read. After the first that is too much nothing is read.
    private mutating func include(_ word: String, from path: String, _ line: Int, depth: Int) {
        for name in paths(word) where !isOverLimit {
            count += 1
            if count > SSHConfigList.files {
                isOverLimit = true
                report(
                    path, line, "more than \(SSHConfigList.files) files are included, and \(name) would be the next",
                    "include fewer files; a pattern may stand for many")
            } else if depth > SSHConfigList.depth {
                isOverLimit = true
                report(
                    path, line, "\(name) is included more than \(SSHConfigList.depth) files deep",
                    "look for files that include each other; OpenSSH reads no deeper either")
            } else {
                do {
                    if let text = try self.text(name) { take(text, of: name, depth: depth) }
                } catch {
                    report(path, line, "an included file is not read: \(error)", "correct it, or do not include it")
                }
            }
        }
    }

    private mutating func report(_ file: String, _ line: Int, _ message: String, _ remedy: String) {
        problems.append(FileProblem(file: file, line: line, message: message, remedy: remedy))
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

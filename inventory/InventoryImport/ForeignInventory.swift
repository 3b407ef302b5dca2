package import FileReading
import SafeText

/// The hosts of an inventory that is not ours, with what it says of them in the words of our own files.
package struct ForeignInventory: Sendable {
    /// The file's name in problem reports.
    package var file: String
    package var hosts: [ForeignHost] = []
    package var groups: [ForeignGroup] = []
    /// The layers that it names itself, as `layers` of an inventory file; empty where a mapping names them.
    package var layers: [FileTree] = []
    /// The ssh_config that its hosts are of; nil where it says nothing.
    package var sshConfig: String?
    /// Hosts that Lockflight can not reach, by why.
    package var unreachable: [String: [String]] = [:]
    /// What is said of hosts and has no place in an inventory, with the number of hosts.
    package var dropped: [String: Int] = [:]
    /// Variables that it has, even where no host has a value.
    var variableNames: Set<String> = []
    /// Whether it has columns, which a mapping names.
    var isTable = false
    package var problems: [FileProblem] = []
    /// What is wrong with single hosts, which matters only for hosts that are imported.
    private(set) var problemsOfHosts: [HostProblem] = []

    /// A problem of a key of a host's entry, which a mapping can say instead.
    struct HostProblem: Sendable {
        var host: String
        var key: String
        var problem: FileProblem
    }

    package init(file: String) { self.file = file }

    mutating func drop(_ name: String) { dropped[name, default: 0] += 1 }

    mutating func report(_ key: String, of host: String, _ message: String, _ remedy: String) {
        problemsOfHosts.append(HostProblem(host: host, key: key, problem: problem(of: host, message, remedy)))
    }

    /// A problem of a host, at its line if it has one.
    func problem(of host: String, _ message: String, _ remedy: String) -> FileProblem {
        FileProblem(
            file: file, line: hosts.first { $0.name == host }?.line ?? 0, message: message, remedy: remedy)
    }

    mutating func report(_ line: Int = 0, _ message: String, _ remedy: String) {
        problems.append(FileProblem(file: file, line: line, message: message, remedy: remedy))
    }
}

/// A host of another inventory.
package struct ForeignHost: Sendable {
    /// As it is called there.
    package var name: String
    /// The line number, from 1; 0 if there is none.
    package var line: Int
    /// Its groups and all groups of these, the nearest first.
    package var groups: [String] = [] { didSet { groupNames = Set(groups) } }
    private(set) var groupNames: Set<String> = []
    /// Keys of an entry of an inventory file.
    package var entry: [String: FileTree.Content] = [:]
    /// The jump hosts in the order in which they are passed.
    package var way: [SSHHop] = []
    /// A command that connects to it, beyond what a jump host does.
    package var proxyCommand: String?
    /// What else is said of it; nil for what is not a single value.
    package var variables: [String: String?] = [:]
    /// The variables whose values are templates that nobody filled in.
    var unresolved: Set<String> = []
    /// The variables whose values are encrypted.
    var encrypted: Set<String> = []
    /// What each key of its entry is called there, such as `ansible_user`.
    private(set) var sources: [String: String] = [:]
    /// Its place among the hosts, where the inventory says it.
    var order: Int?

    package init(name: String, line: Int = 0) {
        self.name = name
        self.line = line
    }

    /// Takes a text for a key, unless it has one. Nothing in it is a placeholder of ours.
    /// - Parameter source: what it is called there.
    mutating func take(_ key: String, _ text: String?, from source: String? = nil) {
        guard let text, !text.isEmpty, entry[key] == nil else { return }
        sources[key] = source
        entry[key] = .text(text.pieces(separatedBy: "${").joined(separator: "$${"))
    }
}

/// A group of another inventory.
package struct ForeignGroup: Sendable {
    package var name: String
    package var children: [String]
    /// Those that it names itself.
    package var hosts: [String]

    package init(name: String, children: [String] = [], hosts: [String] = []) {
        self.name = name
        self.children = children
        self.hosts = hosts
    }
}

/// A name with `*` for any text, as operators select groups and variables with it.
struct NamePattern: Hashable {
    let text: String
    private let pieces: [String]

    init(_ text: String) {
        self.text = text
        pieces = text.pieces(separatedBy: "*").map(String.init)
    }

    /// Whether it is a name alone.
    var isPlain: Bool { pieces.count == 1 }

    func matches(_ name: String) -> Bool {
        guard let first = pieces.first, let last = pieces.last, pieces.count > 1 else { return pieces == [name] }
        guard let start = name.rest(after: first), let middle = start.rest(before: last) else { return false }
        var rest = middle
        for piece in pieces[1..<(pieces.count - 1)] where !piece.isEmpty {
            guard let found = rest.pieces(separatedBy: piece).first, found.utf8.count < rest.utf8.count else {
                return false
            }
            rest = Substring(rest.utf8.dropFirst(found.utf8.count + piece.utf8.count))
        }
        return true
    }
}

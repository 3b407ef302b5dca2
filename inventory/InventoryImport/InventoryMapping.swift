package import FileReading
import SafeText
import UpgradeDomain

/// A mapping file: what an inventory from elsewhere does not say. `layers` name its groups, and the settings are those of
/// an inventory file, so they are read by the same rules.
package struct InventoryMapping: Sendable {
    static let rootKeys = [
        "version", "sshConfig", "defaults", "groups", "layers", "names", "hosts", "leaveOut", "variables", "columns",
    ]
    /// How many titles of a table are compared and listed at most, and how long each may be.
    static let (shownTitles, titleBytes) = (100, 100)
    static let layerKeys = ["name", "owners", "groups", "hosts"] + placementKeys
    /// What hosts have for one layer alone.
    static let placementKeys = ["baseURL", "workingDirectory", "variables"]

    /// A layer, and which hosts are in it.
    struct Layer {
        var name: String
        /// Its `name` and `owners`, as an inventory file has them.
        var tree: FileTree
        var groups: [NamePattern]
        var hosts: [NamePattern]
        /// What each of its hosts has in it alone.
        var own: [FileTree.Member]

        func has(_ host: ForeignHost) -> Bool {
            hosts.contains { $0.matches(host.name) }
                || groups.contains { group in
                    group.isPlain ? host.groupNames.contains(group.text) : host.groups.contains(where: group.matches)
                }
        }
    }

    /// The file's name in problem reports.
    package let file: String
    package var sshConfig: String? { root.value(of: "sshConfig")?.text }
    let root: FileTree
    private(set) var layers: [Layer] = []
    /// Our names of hosts by their own ones.
    private(set) var names: [String: (name: String, line: Int)] = [:]
    /// Keys of the entries of hosts, by either name.
    private(set) var hosts: [String: FileTree] = [:]
    private(set) var leaveOut: [NamePattern] = []
    private var variables: [NamePattern] = []
    /// The variables that it names in full, with the line of their list.
    var namedVariables: [(name: String, line: Int)] {
        let line = root.value(of: "variables")?.line ?? 1
        return variables.filter(\.isPlain).map { ($0.text, line) }
    }
    /// The key of ours for a column of a table.
    private(set) var columns: [String: (key: String, line: Int)] = [:]
    private var problems: [FileProblem] = []

    /// - Throws: all problems of what only a mapping has.
    package static func read(text: String, file: String) throws(FileProblems) -> InventoryMapping {
        var mapping = InventoryMapping(file: file, root: try FileTree.read(yaml: text, file: file))
        mapping.take()
        if !mapping.problems.isEmpty { throw FileProblems(mapping.problems) }
        return mapping
    }

    private init(file: String, root: FileTree) {
        self.file = file
        self.root = root
    }

    func takesVariable(_ name: String) -> Bool { variables.contains { $0.matches(name) } }

    func leavesOut(_ host: ForeignHost) -> Bool {
        leaveOut.contains { $0.matches(host.name) || host.groups.contains(where: $0.matches) }
    }

    /// The columns that it names and a table does not have, each with the one that was probably meant.
    func problems(ofColumnsAmong titles: [String]) -> [FileProblem] {
        let shown = titles.filter { !$0.isEmpty && $0.utf8.count <= InventoryMapping.titleBytes }
            .prefix(InventoryMapping.shownTitles)
        let all = "its columns are: \(shown.joined(separator: ", "))\(shown.count < titles.count ? ", ..." : "")"
        let missing = columns.filter { !titles.contains($0.key) }
        return missing.sorted { ($0.value.line, $0.key) < ($1.value.line, $1.key) }.map { title, column in
            let near = nearest(to: title, among: Array(shown)).map { "did you mean '\($0)'? " } ?? ""
            return FileProblem(
                file: file, line: column.line, message: "the table has no column '\(title)'", remedy: near + all)
        }
    }

    // MARK: Reading

    private mutating func take() {
        check(root, "the mapping", InventoryMapping.rootKeys)
        for element in root.value(of: "layers")?.elements ?? [] {
            check(element, "a layer", InventoryMapping.layerKeys)
            let own = element.members.filter { ["name", "owners"].contains($0.key) }
            layers.append(
                Layer(
                    name: element.value(of: "name")?.text ?? "", tree: FileTree(.mapping(own), line: element.line),
                    groups: patterns("groups", in: element), hosts: patterns("hosts", in: element),
                    own: element.members.filter { InventoryMapping.placementKeys.contains($0.key) }))
        }
        for member in mapping("names") {
            if let text = member.value.text {
                names[member.key] = (text, member.line)
            } else {
                report(member.line, "the name of \(member.key) is not a text", "write 'NAME THERE: NAME HERE'")
            }
        }
        for member in mapping("hosts") { hosts[member.key] = member.value }
        for member in mapping("columns") {
            if let text = member.value.text {
                columns[member.key] = (text, member.line)
            } else {
                report(member.line, "the key for the column \(member.key) is not a text", "write 'COLUMN: KEY'")
            }
        }
        leaveOut = patterns("leaveOut", in: root)
        variables = patterns("variables", in: root)
    }

    private mutating func mapping(_ key: String) -> [FileTree.Member] {
        guard let value = root.value(of: key) else { return [] }
        if value.members.isEmpty, value.content != .mapping([]) {
            report(value.line, "\(key) is not a mapping", "write 'key: value' lines")
        }
        return value.members
    }

    private mutating func patterns(_ key: String, in tree: FileTree) -> [NamePattern] {
        guard let value = tree.value(of: key) else { return [] }
        let texts = value.elements.compactMap(\.text)
        guard case .list(let elements) = value.content, elements.count == texts.count else {
            report(value.line, "\(key) is not a list of names", "write a list: [a, b*], where * stands for any text")
            return []
        }
        return texts.map { NamePattern($0) }
    }

    private mutating func check(_ tree: FileTree, _ name: String, _ known: [String]) {
        guard case .mapping(let members) = tree.content else {
            return report(
                tree.line, "\(name) is not a mapping", "write keys and values: \(known.joined(separator: ", "))")
        }
        for member in members where !known.contains(member.key) {
            report(member.line, "\(name) has no key '\(member.key)'", "use one of: \(known.joined(separator: ", "))")
        }
    }

    private mutating func report(_ line: Int, _ message: String, _ remedy: String) {
        problems.append(FileProblem(file: file, line: line, message: message, remedy: remedy))
    }
}

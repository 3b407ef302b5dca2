import FileReading
import Inventory
import SafeText
import UpgradeDomain

/// Writes the entries of an inventory file from an inventory elsewhere and its mapping.
struct MappedEntries {
    private let foreign: ForeignInventory
    private let mapping: InventoryMapping?
    /// Our names of its hosts, in their order.
    private let names: [String]
    private var ways: MappedWays
    private(set) var problems: [FileProblem] = []
    private let problemsByHost: [String: [ForeignInventory.HostProblem]]
    private(set) var dropped: [String: Int]
    private var leftOut: [String] = []
    /// The hosts that have an entry, by their names elsewhere.
    private(set) var needed: Set<String> = []
    /// The others that have another name here which no mapping gives them.
    private var renamed: [String] = []
    /// Names that the mapping gives to hosts that are not there.
    private var unusedNames: [String] = []
    /// Our names in the order of the written entries.
    private(set) var written: [String] = []

    init(of foreign: ForeignInventory, with mapping: InventoryMapping?) {
        self.foreign = foreign
        self.mapping = mapping
        dropped = foreign.dropped
        problemsByHost = Dictionary(grouping: foreign.problemsOfHosts, by: \.host)
        names = foreign.hosts.map { HostNames.name(of: $0, mapping) }
        ways = MappedWays(among: foreign.hosts, names: names)
    }

    /// The whole file.
    mutating func tree() -> FileTree {
        checkGroups()
        checkVariables()
        let layered = foreign.hosts.indices.map(layers)
        // An inventory that says all by itself lists no hosts but its own.
        var isNeeded = layered.map { $0 != nil || mapping == nil }
        for index in foreign.hosts.indices where isNeeded[index] && !hasJump(index) { ways.follow(index) }
        var jumps = Array(ways.passed) + jumpsOfMapping.compactMap { ways.index(named: $0) }
        jumps += foreign.hosts.indices.filter { isNeeded[$0] }.compactMap(ownJump)
        while let index = jumps.popLast() {
            guard !isNeeded[index] else { continue }
            isNeeded[index] = true
            if !hasJump(index) {
                ways.follow(index)
                jumps += ways.passed
            }
            jumps += ownJump(of: index).map { [$0] } ?? []
        }
        needed = Set(foreign.hosts.indices.filter { isNeeded[$0] }.map { foreign.hosts[$0].name })
        let twins = twins(among: isNeeded)
        checkHosts()
        for index in foreign.hosts.indices where isNeeded[index] { takeProblems(ofHost: index) }
        var hosts: [FileTree] = []
        for index in foreign.hosts.indices where !twins.contains(index) {
            if isNeeded[index] {
                written.append(names[index])
                hosts.append(entry(index, layered[index]))
                let own = foreign.hosts[index].name
                if own != names[index], mapping?.names[own] == nil { renamed.append("\(own) -> \(names[index])") }
            } else {
                leftOut.append(foreign.hosts[index].name)
            }
        }
        problems += ways.problems(in: foreign.file)
        written += ways.madeNames
        hosts += ways.made { name in mapping?.entry(of: name, or: name)?.members ?? [] }
        var members = [FileTree.Member("version", FileTree(.integer(1), line: 0), line: 0)]
        for key in ["sshConfig", "defaults"] { members += mapping?.root.members.filter { $0.key == key } ?? [] }
        if let config = foreign.sshConfig, mapping?.sshConfig == nil {
            members.append(.init("sshConfig", FileTree(.text(config), line: 0), line: 0))
        }
        if !groups.isEmpty { members.append(.init("groups", FileTree(.mapping(groups), line: 0), line: 0)) }
        members.append(.init("layers", FileTree(.list(layerTrees), line: 0), line: 0))
        members.append(.init("hosts", FileTree(.list(hosts), line: 0), line: 0))
        return FileTree(.mapping(members), line: 0)
    }

    private var layerTrees: [FileTree] {
        mapping.map { $0.layers.isEmpty ? foreign.layers : $0.layers.map(\.tree) } ?? foreign.layers
    }

    /// The settings of groups, under names that our files may have.
    private var groups: [FileTree.Member] {
        (mapping?.root.value(of: "groups")?.members ?? []).map {
            .init(HostNames.valid($0.key), $0.value, line: $0.line)
        }
    }

    // MARK: What can not be written

    /// Hosts that have the name of an earlier one. They are reported here, and not written.
    private mutating func twins(among isNeeded: [Bool]) -> Set<Int> {
        var first: [String: Int] = [:]
        var twins: Set<Int> = []
        for (index, (host, name)) in zip(foreign.hosts, names).enumerated() where isNeeded[index] {
            if mapping?.names[host.name] == nil, !Terminal.escaped(host.name).isSpelled(host.name) {
                report(
                    host.line, "the name of host \(host.name) has a character that is not seen",
                    "remove the character, or name the host under 'names' in the mapping file")
            }
            guard let twin = first[name] else {
                first[name] = index
                continue
            }
            twins.insert(index)
            let earlier = foreign.hosts[twin]
            if earlier.name.isSpelled(host.name) {
                report(
                    host.line, "host \(host.name) is listed twice",
                    earlier.line > 0 ? "list it once: it is in line \(earlier.line) as well" : "list it once")
            } else {
                report(
                    host.line, "hosts \(earlier.name) and \(host.name) would both be named \(name)",
                    "name one of them under 'names' in the mapping file")
            }
        }
        return twins
    }

    /// A variable that no host has is a misspelled one; `*` may stand for none.
    private mutating func checkVariables() {
        guard let mapping, !foreign.hosts.isEmpty else { return }
        if !foreign.isTable, let columns = mapping.root.value(of: "columns"), !columns.members.isEmpty {
            problems.append(
                FileProblem(
                    file: mapping.file, line: columns.line,
                    message: "'columns' is for tables, and \(foreign.file) is none", remedy: "remove it"))
        }
        let known = foreign.hosts.reduce(into: foreign.variableNames) { known, host in
            known.formUnion(host.variables.keys)
            if case .mapping(let own)? = host.entry["variables"] { known.formUnion(own.map(\.key)) }
        }
        for (name, line) in mapping.namedVariables where !known.contains(name) {
            let near = nearest(to: name, among: known.sorted()).map { "did you mean '\($0)'? " } ?? ""
            problems.append(
                FileProblem(
                    file: mapping.file, line: line, message: "no host of \(foreign.file) has a variable '\(name)'",
                    remedy: "\(near)correct the name, or remove it"))
        }
    }

    /// A group that is not there is a misspelled one, or one that has another name by now.
    private mutating func checkGroups() {
        guard let mapping, !foreign.groups.isEmpty else { return }
        let known = Set(foreign.groups.map(\.name)).union(["all"])
        for member in mapping.root.value(of: "groups")?.members ?? [] where !known.contains(member.key) {
            reportUnknown(member.key, member.line, mapping)
        }
        for layer in mapping.layers {
            for group in layer.groups where group.isPlain && !known.contains(group.text) {
                reportUnknown(group.text, layer.tree.line, mapping)
            }
        }
    }

    /// What the mapping says instead is not wrong any more.
    private mutating func takeProblems(ofHost index: Int) {
        guard let own = problemsByHost[foreign.hosts[index].name] else { return }
        let said = mapping?.entry(of: foreign.hosts[index].name, or: names[index])
        problems += own.filter { said?.value(of: $0.key) == nil }.map(\.problem)
    }

    /// A host that is not there is a misspelled one: what the mapping says of it would be said of none. A name for such a
    /// host loses nothing, and --init-map writes names: one that is not there any more must not refuse every later import.
    /// It is a remark, with the host that may have been meant.
    private mutating func checkHosts() {
        guard let mapping else { return }
        let leftOut = foreign.unreachable.reduce(into: [:]) { all, entry in
            for host in entry.value { all[host] = entry.key }
        }
        let known = Set(foreign.hosts.map(\.name) + names + ways.madeNames)
        let groups = Set(foreign.groups.map(\.name)).union(["all"])
        var said = (mapping.root.value(of: "hosts")?.members ?? []).map { ($0.key, $0.line) }
        for layer in mapping.layers {
            said += layer.hosts.filter(\.isPlain).map { ($0.text, layer.tree.line) }
        }
        let line = mapping.root.value(of: "leaveOut")?.line ?? 1
        said += mapping.leaveOut.filter { $0.isPlain && !groups.contains($0.text) && leftOut[$0.text] == nil }
            .map { ($0.text, line) }
        for (name, line) in said.sorted(by: { ($0.1, $0.0) < ($1.1, $1.0) }) where !known.contains(name) {
            let why = leftOut[name]
            problems.append(
                FileProblem(
                    file: mapping.file, line: line,
                    message: why.map { "\(foreign.file) has host '\(name)' with \($0), which is left out" }
                        ?? "\(foreign.file) has no host '\(name)'",
                    remedy: why == nil
                        ? "correct the name, or remove it"
                        : "remove it here, or give the host a connection over SSH there"))
        }
        let unnamed = foreign.hosts.map(\.name).filter { mapping.names[$0] == nil }
        unusedNames = mapping.names.keys.sorted().filter { !known.contains($0) && leftOut[$0] == nil }.map { name in
            nearest(to: name, among: unnamed).map { "\(name) (did you mean \($0)?)" } ?? name
        }
    }

    private mutating func reportUnknown(_ group: String, _ line: Int, _ mapping: InventoryMapping) {
        problems.append(
            FileProblem(
                file: mapping.file, line: line, message: "\(foreign.file) has no group '\(group)'",
                remedy: "correct the name, or remove it"))
    }

    private mutating func report(_ line: Int, _ message: String, _ remedy: String) {
        problems.append(FileProblem(file: foreign.file, line: line, message: message, remedy: remedy))
    }

    // MARK: One host

    /// The layers of a host as its entry has them; nil if it is in none.
    private func layers(_ index: Int) -> FileTree.Content? {
        let host = foreign.hosts[index]
        if mapping?.leavesOut(host) == true { return nil }
        if let own = mapping?.entry(of: host.name, or: names[index])?.value(of: "layers") { return own.content }
        let line = MappedLines.firstHost + index
        let chosen = (mapping?.layers ?? []).filter { $0.has(host) }
        guard chosen.isEmpty else {
            return .mapping(
                chosen.map { .init($0.name, FileTree(.mapping($0.own), line: line), line: line) })
        }
        guard case .mapping(let members)? = host.entry["layers"] else { return host.entry["layers"] }
        let order = layerTrees.compactMap { $0.value(of: "name")?.text }
        return .mapping(
            members.sorted { (order.firstIndex(of: $0.key) ?? 0) < (order.firstIndex(of: $1.key) ?? 0) })
    }

    /// What the mapping says overrules what is said elsewhere; its defaults do not.
    private mutating func entry(_ index: Int, _ layers: FileTree.Content?) -> FileTree {
        let host = foreign.hosts[index]
        let line = MappedLines.firstHost + index
        var settings = host.entry
        settings["layers"] = layers
        settings["address"] = settings["address"] ?? .text(host.name)
        if host.proxyCommand != nil, settings["transport"] == nil { settings["transport"] = .text("openssh") }
        if let jump = ownJump(of: index).map({ names[$0] }) ?? (settings["jump"] == nil ? ways.jump(of: index) : nil) {
            settings["jump"] = .text(jump)
        }
        take(ways.named[index], isOnlyPassed: layers == nil, index, &settings)
        takeVariables(of: host, into: &settings)
        let own = mapping?.entry(of: host.name, or: names[index])?.members ?? []
        let groups = (mapping?.root.value(of: "groups")?.members ?? []).filter { host.groupNames.contains($0.key) }
        let merged = ["variables", "labels"]
        for key in groups.flatMap(\.value.members).map(\.key) + own.map(\.key) where !merged.contains(key) {
            settings[key] = nil
        }
        // Of variables and labels, those that a group of the mapping says.
        for key in merged {
            let said = Set(groups.flatMap { $0.value.value(of: key)?.members.map(\.key) ?? [] })
            guard case .mapping(let elsewhere)? = settings[key], !said.isEmpty else { continue }
            settings[key] = .mapping(elsewhere.filter { !said.contains($0.key) })
        }
        let nameLine = mapping?.names[host.name]?.line ?? line
        var members = [FileTree.Member("name", FileTree(.text(names[index]), line: nameLine), line: nameLine)]
        for (key, content) in settings.sorted(by: { $0.key < $1.key }) {
            let more = merged.contains(key) ? own.filter { $0.key == key }.flatMap(\.value.members) : []
            members.append(.init(key, FileTree(content.completed(by: more), line: line), line: line))
        }
        if !groups.isEmpty {
            let names = groups.map { FileTree(.text(HostNames.valid($0.key)), line: line) }
            members.append(.init("groups", FileTree(.list(names), line: line), line: line))
        }
        let written = Set(members.map(\.key))
        members += own.filter { $0.key != "layers" && !written.contains($0.key) }
        return FileTree(.mapping(members), line: line)
    }

    /// What the ways through a host say of it counts where it is only passed. Where it is in a layer as well, its entry must
    /// say the same, or nothing.
    private mutating func take(
        _ hop: SSHHop?, isOnlyPassed: Bool, _ index: Int, _ settings: inout [String: FileTree.Content]
    ) {
        guard let hop else { return }
        for (key, said) in [
            ("user", hop.user), ("port", hop.port.map { "\($0)" }), ("identityFile", hop.identityFile),
        ] {
            guard let said else { continue }
            let own = settings[key].flatMap { FileTree($0, line: 0).text }
            if !isOnlyPassed, let own, own != said { ways.clash(at: index) }
            if isOnlyPassed || own == nil { settings[key] = .text(said) }
        }
    }

    private mutating func takeVariables(of host: ForeignHost, into settings: inout [String: FileTree.Content]) {
        var taken: [FileTree.Member] = []
        for (name, value) in host.variables {
            let isNamed = mapping?.namedVariables.contains { $0.name.isSpelled(name) } == true
            if isNamed, host.encrypted.contains(name) {
                problems.append(
                    foreign.problem(
                        of: host.name, "\(name) of host \(host.name) is encrypted",
                        "remove \(name) from 'variables' of the mapping file: a secret does not belong in the ledger"))
            } else if let value, mapping?.takesVariable(name) == true {
                if host.unresolved.contains(name) {
                    report(
                        host.line, "\(name) of host \(host.name) is a template without a value: \(value)",
                        AnsibleHost.remedy)
                }
                taken.append(.init(name, FileTree(.text(value), line: 0), line: 0))
            } else {
                dropped[name, default: 0] += 1
            }
        }
        guard !taken.isEmpty else { return }
        taken.sort { $0.key < $1.key }
        settings["variables"] = FileTree.Content.mapping(taken).completed(
            by: FileTree(settings["variables"] ?? .null, line: 0).members)
    }

    /// The host that its entry elsewhere names as its jump host.
    private func ownJump(of index: Int) -> Int? {
        guard case .text(let name)? = foreign.hosts[index].entry["jump"] else { return nil }
        return ways.index(named: name)
    }

    /// Whether its entry elsewhere or the mapping says which host it is reached through.
    private func hasJump(_ index: Int) -> Bool {
        let host = foreign.hosts[index]
        if host.entry["jump"] != nil { return true }
        let groups = (mapping?.root.value(of: "groups")?.members ?? []).filter { host.groupNames.contains($0.key) }
        let own = mapping?.entry(of: host.name, or: names[index])
        return (groups.map(\.value) + [own].compactMap { $0 }).contains { $0.value(of: "jump") != nil }
    }

    /// Hosts that others are reached through because the mapping says so.
    private var jumpsOfMapping: [String] {
        guard let mapping else { return [] }
        let groups = mapping.root.value(of: "groups")?.members.map(\.value) ?? []
        return ([mapping.root.value(of: "defaults")] + groups + Array(mapping.hosts.values)).compactMap {
            $0?.value(of: "jump")?.text
        }
    }
}

extension MappedEntries {
    /// What an operator should know, a sentence each.
    var remarks: [String] {
        var remarks: [String] = []
        if !leftOut.isEmpty {
            remarks.append("\(counted(leftOut.count, "host")) in no layer, left out: \(MappedEntries.list(leftOut))")
        }
        for (why, hosts) in foreign.unreachable.sorted(by: { $0.key < $1.key }) {
            remarks.append("\(counted(hosts.count, "host")) with \(why), left out: \(MappedEntries.list(hosts))")
        }
        if !renamed.isEmpty {
            remarks.append(
                "\(counted(renamed.count, "host")) with another name here: \(MappedEntries.list(renamed))")
        }
        if !unusedNames.isEmpty {
            let file = mapping?.file ?? ""
            remarks.append(
                "\(counted(unusedNames.count, "name")) of \(file) for hosts that \(foreign.file) does not have: "
                    + MappedEntries.list(unusedNames))
        }
        if !ways.madeNames.isEmpty {
            remarks.append(
                "\(counted(ways.madeNames.count, "jump host")) not listed there, with an entry here: "
                    + MappedEntries.list(ways.madeNames))
        }
        let commands = Dictionary(grouping: foreign.hosts.filter { $0.proxyCommand != nil }) { $0.proxyCommand ?? "" }
        for (command, hosts) in commands.sorted(by: { $0.key < $1.key }) {
            remarks.append(
                "\(counted(hosts.count, "host")) with transport: openssh (\(MappedEntries.list(hosts.map(\.name)))): "
                    + "ssh_config has to say their ProxyCommand: \(command)")
        }
        if !dropped.isEmpty {
            let all = dropped.sorted { $0.key < $1.key }.map { "\($0) (\($1))" }
            remarks.append("not taken, with the number of hosts: \(all.joined(separator: ", "))")
        }
        return remarks
    }

    private static let listed = 3

    private static func list(_ names: [String]) -> String {
        names.prefix(listed).joined(separator: ", ") + (names.count > listed ? " and \(names.count - listed) more" : "")
    }
}

extension FileTree.Content {
    /// A mapping with more members, which replace those of the same key.
    fileprivate func completed(by more: [FileTree.Member]) -> FileTree.Content {
        guard !more.isEmpty, case .mapping(let own) = self else { return self }
        let keys = Set(more.map(\.key))
        return .mapping(own.filter { !keys.contains($0.key) } + more)
    }
}

extension InventoryMapping {
    /// The keys of a host's entry, under its own name or ours.
    fileprivate func entry(of name: String, or ours: String) -> FileTree? { hosts[name] ?? hosts[ours] }
}

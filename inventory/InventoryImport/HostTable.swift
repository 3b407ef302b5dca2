package import FileReading
import SafeText
import UpgradeDomain

/// A table of hosts, one a row. Its columns are keys of a host's entry, `group`, `var:NAME`, `label:NAME`, and
/// `layer:NAME:OWNER OWNER` with the base URL of the hosts in that layer, or `yes`; what a host has for one layer alone is in
/// `workingDirectory:LAYER` and `var:NAME@LAYER`. `sshConfig:PATH` is a title alone. Any other column is a variable.
package enum HostTable {
    static let keys = [
        "name", "address", "port", "user", "jump", "identityFile", "transport", "silenceSeconds", "workingDirectory",
        "agentDirectory", "baseURL",
    ]
    /// In the column of a layer: the host is in it, and is asked nothing over HTTP.
    static let member = "yes"
    /// What other tables call these columns.
    private static let usual: [String: [String]] = [
        "name": ["host", "hostname", "fqdn", "server", "server_name", "host_name"],
        "address": ["ip", "ip_address", "ipaddress", "ip address", "addr", "private_ip", "primary_ip"],
        "port": ["ssh_port"], "user": ["ssh_user", "login"], "jump": ["bastion", "jump_host", "jumphost"],
        "group": ["groups", "role", "roles", "tier", "service", "layer"],
    ]

    /// What a column says of a host.
    private enum Column {
        case key(String)
        case group
        case layer(String)
        /// A key of the layer's own, or one of its variables.
        case ofLayer(String, key: String)
        case ofLayerVariable(String, String)
        case member(of: String, String)
        case variable(String)
        /// It says something of all hosts.
        case none

        /// The variable that it is.
        var variable: String? {
            switch self {
            case .variable(let name), .member(of: "variables", let name): name
            case .key, .group, .layer, .ofLayer, .ofLayerVariable, .member, .none: nil
            }
        }

        /// What two columns can not both say; nil for what may be in several.
        var meaning: String? {
            switch self {
            case .key(let key): "the \(key)"
            case .layer(let layer): "the layer \(layer)"
            case .ofLayer(let layer, let key): "the \(key) for the layer \(layer)"
            case .ofLayerVariable(let layer, let name): "the variable \(name) for the layer \(layer)"
            case .member(of: "labels", let name): "the label \(name)"
            case .member(_, let name), .variable(let name): "the variable \(name)"
            case .group, .none: nil
            }
        }
    }

    /// The second of two columns for the same would be lost. Those that nobody takes may have any title.
    private static func reportTwins(
        among columns: [Column], _ titles: [String], _ mapping: InventoryMapping?, _ line: Int,
        in inventory: inout ForeignInventory
    ) {
        var first: [String: Int] = [:]
        let said = Set(columns.compactMap { if case .member(of: "variables", let name) = $0 { name } else { nil } })
        for (index, column) in columns.enumerated() {
            if case .variable(let name) = column, !said.contains(name), mapping?.takesVariable(name) != true {
                continue
            }
            guard let meaning = column.meaning else { continue }
            guard let twin = first[meaning] else {
                first[meaning] = index
                continue
            }
            inventory.report(
                line, "the columns '\(titles[twin])' and '\(titles[index])' are both \(meaning) of a host",
                "rename one, or say what it is in the mapping file: 'columns: {\(titles[index]): var:NAME}'")
        }
    }

    /// The key or `group` that a title is, in any case of its letters.
    private static func key(_ title: String, _ mapping: InventoryMapping?) -> String {
        if let said = mapping?.columns[title]?.key { return said }
        return (keys + ["group"]).first { $0.lowercasedASCII.isSpelled(title.lowercasedASCII) } ?? title
    }

    /// - Parameters:
    ///   - text: the table.
    ///   - file: its name in problem reports.
    ///   - mapping: it says what columns are.
    package static func read(
        text: String, file: String, mapping: InventoryMapping?
    ) throws(FileProblems) -> ForeignInventory {
        let table = CSVTable(text)
        var inventory = ForeignInventory(file: file)
        guard let header = table.rows.first else {
            throw FileProblems([
                FileProblem(
                    file: file, line: 1, message: "the table is empty", remedy: "begin with a row of column names")
            ])
        }
        inventory.isTable = true
        if let line = table.openMark { inventory.report(line, "a quotation mark is not closed", "close it") }
        for line in table.strayTexts {
            inventory.report(
                line, "a cell goes on after its closing quotation mark",
                "write the mark twice within a cell, or put marks around all of it")
        }
        let titles = header.cells.map(\.text)
        inventory.problems += mapping?.problems(ofColumnsAmong: titles) ?? []
        let columns = titles.map { column($0, mapping, among: titles) }
        inventory.layers = header.cells.compactMap { layer($0.text) }
        inventory.sshConfig = header.cells.lazy.compactMap { $0.text.rest(after: "sshConfig:").map(String.init) }.first
        reportTwins(among: columns, titles, mapping, header.line, in: &inventory)
        if !columns.contains(where: { if case .key("name") = $0 { true } else { false } }) {
            inventory.report(
                header.line, "no column is the name of a host",
                "name one 'name', or write 'columns: {COLUMN: name}' in the mapping file")
            throw FileProblems(inventory.problems)
        }
        for row in table.rows.dropFirst() {
            guard row.cells.count <= columns.count else {
                inventory.report(
                    row.line, "the row has more cells than there are columns",
                    "put quotation marks around cells with separators")
                continue
            }
            if let host = host(row, columns) {
                inventory.hosts.append(host)
            } else {
                inventory.report(row.line, "the row names no host", "name it, or remove the row")
            }
        }
        inventory.variableNames = Set(columns.compactMap(\.variable))
        inventory.groups = groups(of: inventory.hosts)
        if !inventory.problems.isEmpty { throw FileProblems(inventory.problems) }
        return inventory
    }

    private static func column(_ title: String, _ mapping: InventoryMapping?, among titles: [String]) -> Column {
        let name = key(title, mapping)
        if keys.contains(name) { return .key(name) }
        if name == "group" { return .group }
        if name.begins(with: "sshConfig:") { return .none }
        let words = name.pieces(separatedBy: ":").map(String.init)
        if words.count == 3, words[0] == "layer" { return .layer(words[1]) }
        if words.count == 2, words[0] == "workingDirectory" { return .ofLayer(words[1], key: words[0]) }
        if let own = name.rest(after: "var:"), let halves = String(own).cut(atLast: "@") {
            return .ofLayerVariable(String(halves.after), String(halves.before))
        }
        if let variable = name.rest(after: "var:") { return .member(of: "variables", String(variable)) }
        if let label = name.rest(after: "label:") { return .member(of: "labels", String(label)) }
        guard mapping?.columns[title] == nil else { return .variable(name) }
        let usual = usual.first { $0.value.contains(title.lowercasedASCII) }?.key
        // A column that has the key's own name is meant.
        if let usual, titles.contains(where: { key($0, mapping) == usual }) { return .variable(name) }
        return usual.map { $0 == "group" ? .group : .key($0) } ?? .variable(name)
    }

    private static func layer(_ title: String) -> FileTree? {
        let words = title.pieces(separatedBy: ":").map(String.init)
        guard words.count == 3, words[0] == "layer" else { return nil }
        let owners = words[2].fields(separatedBy: " ").map { FileTree(.text(String($0)), line: 0) }
        return FileTree(
            .mapping([
                .init("name", FileTree(.text(words[1]), line: 0), line: 0),
                .init("owners", FileTree(.list(owners), line: 0), line: 0),
            ]), line: 0)
    }

    private static func host(_ row: CSVTable.Row, _ columns: [Column]) -> ForeignHost? {
        var name: String?
        var host = ForeignHost(name: "", line: row.line)
        var members: [String: [FileTree.Member]] = [:]
        var layers: [(name: String, own: [FileTree.Member])] = []
        var layerVariables: [String: [FileTree.Member]] = [:]
        func add(_ member: FileTree.Member?, to layer: String) {
            let index = layers.firstIndex { $0.name == layer } ?? layers.endIndex
            if index == layers.endIndex { layers.append((layer, [])) }
            if let member { layers[index].own.append(member) }
        }
        for (column, cell) in zip(columns, row.cells) {
            guard let value = cell.value else { continue }
            switch column {
            case .key("name"): name = value
            case .key(let key): host.entry[key] = .text(value)
            case .group: host.groups += value.fields(separatedBy: ",; |").map(String.init)
            case .layer(let layer):
                add(value == member ? nil : .init("baseURL", FileTree(.text(value), line: 0), line: 0), to: layer)
            case .ofLayer(let layer, let key): add(.init(key, FileTree(.text(value), line: 0), line: 0), to: layer)
            case .ofLayerVariable(let layer, let name):
                layerVariables[layer, default: []].append(.init(name, FileTree(.text(value), line: 0), line: 0))
            case .member(let key, let name):
                members[key, default: []].append(.init(name, FileTree(.text(value), line: 0), line: 0))
            case .variable(let name): host.variables[name] = .some(value)
            case .none: continue
            }
        }
        guard let name, !name.isEmpty else { return nil }
        host.name = name
        host.groups.append("all")
        for (layer, variables) in layerVariables {
            add(.init("variables", FileTree(.mapping(variables), line: 0), line: 0), to: layer)
        }
        members["layers"] =
            layers.isEmpty ? nil : layers.map { .init($0.name, FileTree(.mapping($0.own), line: 0), line: 0) }
        for (key, members) in members { host.entry[key] = .mapping(members) }
        return host
    }

    private static func groups(of hosts: [ForeignHost]) -> [ForeignGroup] {
        var order: [String] = []
        var members: [String: [String]] = [:]
        for host in hosts {
            for group in host.groups where group != "all" {
                if members[group] == nil { order.append(group) }
                members[group, default: []].append(host.name)
            }
        }
        return [ForeignGroup(name: "all", children: order)]
            + order.map { ForeignGroup(name: $0, hosts: members[$0] ?? []) }
    }
}

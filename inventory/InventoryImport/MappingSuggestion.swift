import SafeText
import UpgradeDomain

/// A mapping file to begin with, for one inventory: what its names say, for a person to correct.
package struct MappingSuggestion: Sendable {
    /// A suggested layer.
    package struct Layer: Sendable {
        package var name: String
        package var groups: [String]
        package var hosts: Int
        /// What a variable of all its hosts says, if it says the same of each.
        var owner: String?
        /// The variable with the port of its service, if all its hosts have one.
        var portVariable: String?
    }

    package let layers: [Layer]
    /// The groups that hosts of no layer are in, with the number of these hosts.
    package let leftGroups: [(name: String, hosts: Int)]
    private let names: [(name: String, ours: String)]
    private let directoryVariable: String?
    private let columns: [(column: String, key: String)]
    private let owner: String
    private let file: String

    /// How many groups without a layer are listed at most.
    private static let listedGroups = 200
    private static let directories = [
        "deploy_dir", "deploy_path", "deploy_to", "deploy_root", "app_dir", "app_directory", "app_path", "app_root",
        "app_home", "install_dir",
        "install_path", "project_dir", "project_path", "project_root", "checkout_dir", "stack_dir",
    ]
    private static let owners = ["owner", "owned_by", "team", "owner_team", "maintainer", "responsible"]
    private static let ports = [
        "service_port", "app_port", "api_port", "http_port", "web_port", "listen_port", "server_port",
    ]

    /// - Parameters:
    ///   - foreign: the inventory from elsewhere.
    ///   - owner: who approves changes until a person says otherwise.
    package init(for foreign: ForeignInventory, owner: String) {
        file = foreign.file
        self.owner = NameGrammar.word.accepts(owner) ? owner : "OWNER"
        let kinds = MappingSuggestion.kinds(in: foreign)
        var chosen = LayerKind.allCases.compactMap { kind -> (name: String, groups: [String], hosts: [ForeignHost])? in
            guard let groups = kinds[kind], !groups.isEmpty else { return nil }
            let hosts = foreign.hosts.filter { host in groups.contains { host.groupNames.contains($0) } }
            return hosts.isEmpty ? nil : (kind.rawValue, groups, hosts)
        }
        if chosen.isEmpty { chosen = [("hosts", ["all"], foreign.hosts)] }
        layers = chosen.map { layer in
            let port = MappingSuggestion.ports.first { name in layer.hosts.allSatisfy { $0.variables[name] != nil } }
            return Layer(
                name: layer.name, groups: layer.groups, hosts: layer.hosts.count,
                owner: MappingSuggestion.owner(of: layer.hosts), portVariable: port)
        }
        let layered = Set(chosen.flatMap(\.hosts).map(\.name))
        let all = foreign.hosts.filter { layered.contains($0.name) }
        directoryVariable = MappingSuggestion.directories.first { name in all.allSatisfy { $0.variables[name] != nil } }
        let left = foreign.hosts.filter { !layered.contains($0.name) }
        leftGroups = foreign.groups.compactMap { group in
            let count = left.count { $0.groups.first == group.name }
            return count == 0 ? nil : (group.name, count)
        }
        names = MappingSuggestion.names(of: foreign.hosts)
        columns = []
    }

    // MARK: Layers

    private static func owner(of hosts: [ForeignHost]) -> String? {
        owners.lazy.compactMap { name -> String? in
            let values = Set(hosts.map { $0.variables[name] ?? nil })
            guard values.count == 1, let value = values.first ?? nil, NameGrammar.word.accepts(value) else {
                return nil
            }
            return value
        }.first
    }

    /// The groups of each kind. Of a group of groups that are all of its kind only the outer one is named.
    private static func kinds(in foreign: ForeignInventory) -> [LayerKind: [String]] {
        let children = Dictionary(foreign.groups.map { ($0.name, $0.children) }) { first, _ in first }
        var below: [String: Set<LayerKind>] = [:]
        func kinds(below name: String, depth: Int) -> Set<LayerKind> {
            if let known = below[name] { return known }
            below[name] = []
            var found: Set<LayerKind> = []
            for child in children[name] ?? [] where depth > 0 {
                found.formUnion(kinds(below: child, depth: depth - 1))
                if let kind = LayerKind(group: child) { found.insert(kind) }
            }
            below[name] = found
            return found
        }
        var order: [LayerKind: [String]] = [:]
        var seen: Set<String> = ["ungrouped"]
        var waiting = ["all"]
        while let name = waiting.popLast() {
            guard seen.insert(name).inserted else { continue }
            if name != "all", let kind = LayerKind(group: name),
                kinds(below: name, depth: deepestGroup).subtracting([kind]).isEmpty
            {
                order[kind, default: []].append(name)
            } else {
                waiting += (children[name] ?? []).reversed()
            }
        }
        return order
    }

    private static let deepestGroup = 64

    // MARK: Names

    /// Our names of the hosts whose own ones are not valid, or say nothing; none of them twice.
    private static func names(of hosts: [ForeignHost]) -> [(name: String, ours: String)] {
        var taken = Set(hosts.map(\.name).filter { HostNames.valid($0) == $0 && !HostNames.isAddress($0) })
        return hosts.compactMap { host in
            guard !taken.contains(host.name) else { return nil }
            var base = host.name
            if HostNames.isAddress(base) {
                let group = host.groups.first.flatMap {
                    LayerKind(group: $0)?.rawValue ?? ($0 == "ungrouped" || $0 == "all" ? nil : $0)
                }
                base = "\(group ?? "host")-\(base.fields(separatedBy: ".:%").joined(separator: "-"))"
            }
            var name = HostNames.valid(base)
            var number = 2
            while !taken.insert(name).inserted {
                name = HostNames.valid("\(base)-\(number)")
                number += 1
            }
            return (host.name, name)
        }
    }

    // MARK: The file

    package var text: String { (head + layerLines + rest).joined(separator: "\n") + "\n" }

    private var head: [String] {
        [
            "# What \(MappingSuggestion.plain(file)) does not say. Edit this file, and give it to each import with --map;",
            "# an import says what has changed since the last one.", "version: 1", "",
            "# What a host has unless it, or one of its groups, says otherwise. Keys are those of an inventory file.",
            "defaults:",
            directoryVariable.map {
                "  workingDirectory: ${var.\($0)}   # the deployment checkout on each host, from its variable"
            }
                ?? "  workingDirectory: /srv/stack       # to edit: the deployment checkout on each host",
            "  baseURL: http://127.0.0.1:8080     # to edit: the service's address as the host itself reaches it",
            "  # user: deploy                     # where the inventory names no user",
            "# sshConfig: none                   # what is open comes from ssh_config, unless this is none", "",
        ]
    }

    private var layerLines: [String] {
        var lines = [
            "# In the order in which they are upgraded. A layer has the hosts of its groups (with groups within them), and",
            "# those that 'hosts' names; * stands for any text. A host in no layer is left out.", "layers:",
        ]
        for layer in layers {
            lines += [
                "  - name: \(layer.name)            # \(counted(layer.hosts, "host"))",
                "    owners: [\(layer.owner ?? owner)]         # to edit: who approves changes to it",
                "    groups: [\(layer.groups.map(MappingSuggestion.plain).joined(separator: ", "))]",
            ]
            if let port = layer.portVariable { lines.append("    baseURL: http://127.0.0.1:${var.\(port)}") }
        }
        guard !leftGroups.isEmpty else { return lines + [""] }
        lines.append("# In no layer yet:")
        for group in leftGroups.prefix(MappingSuggestion.listedGroups) {
            lines.append("#   \(MappingSuggestion.plain(group.name)): \(counted(group.hosts, "host"))")
        }
        if leftGroups.count > MappingSuggestion.listedGroups {
            lines.append("#   and hosts of \(counted(leftGroups.count - MappingSuggestion.listedGroups, "more group"))")
        }
        return lines + [""]
    }

    private var rest: [String] {
        var lines = ["# Names of hosts here, where their own ones are not valid or are bare addresses."]
        lines.append(names.isEmpty ? "# names: {NAME_THERE: name-here}" : "names:")
        for (name, ours) in names { lines.append("  \(MappingSuggestion.plain(name)): \(ours)") }
        let variables = Set(layers.compactMap(\.portVariable) + (directoryVariable.map { [$0] } ?? [])).sorted()
        lines += [
            "", "# Variables to take, for ${var.NAME} above and in plans; all others are dropped.",
            variables.isEmpty ? "# variables: [site, app_*]" : "variables: [\(variables.joined(separator: ", "))]", "",
            "# What hosts of a group have, whatever the inventory says; and single hosts.",
            "# groups:", "#   GROUP: {user: deploy, workingDirectory: /opt/app}", "# hosts:",
            "#   name-here: {jump: bastion-1}",
            "# Groups and hosts that are not Lockflight's:", "# leaveOut: [windows, 'test-*']",
        ]
        return lines
    }

    /// A text as YAML has it: plain where that is the same.
    private static func plain(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                || [0x2d, 0x2e, 0x2f, 0x5f].contains(byte)
        }
        let words = ["null", "-", "---", "..."]
        return isPlain && !text.isEmpty && !words.contains(text) && text.utf8.first != 0x2d
            ? text : InventoryText.quoted(text)
    }
}

import Foundation

/// Makes inventories of Ansible whose right mapping is known, of the shapes that large public ones have: leaf groups in
/// groups of groups, hosts in several of them, bare addresses, long names, capitals and underscores, ways through
/// `ssh -W`, vault files and a great many files of variables.
struct FleetGenerator {
    /// The sums of five large public inventories.
    static let publicSizes = FleetGenerator(
        hosts: 737, groups: 638, groupsOfGroups: 260, hostsInSeveral: 363, bareAddresses: 67, longNames: 9,
        throughSSHW: 4)

    var hosts: Int
    /// All of them, those of groups as well.
    var groups: Int
    var groupsOfGroups: Int
    /// How many hosts are in two to six leaf groups.
    var hostsInSeveral: Int
    var bareAddresses: Int
    var longNames: Int
    var throughSSHW: Int

    /// A host and what an import has to make of it.
    struct Made {
        var name: String
        /// In the order of the layers.
        var layers: [String]
        var leaves: [String]
        var address: String
        var port: Int
        var user: String?
        var jump: String?
    }

    static let layers = ["data", "app", "web"]
    /// A leaf group for each, under which the layer's leaves are numbered.
    static let stems = ["data": "pg_cluster", "app": "api_workers", "web": "frontend"]

    let bastion = "jump.fleet.example"

    private var leafCount: Int { groups - groupsOfGroups }

    /// The leaf groups of a layer; each layer has a third of them.
    func leaves(of layer: String) -> [String] {
        guard let index = FleetGenerator.layers.firstIndex(of: layer) else { return [] }
        return (0..<leafCount).filter { $0 % FleetGenerator.layers.count == index }.map {
            "\(FleetGenerator.stems[layer] ?? "")_\($0)"
        }
    }

    var made: [Made] {
        let leaves = FleetGenerator.layers.map { self.leaves(of: $0) }
        return (0..<hosts).map { index in
            let layer = index % FleetGenerator.layers.count
            var own = [leaves[layer][index / 3 % leaves[layer].count]]
            var layers = [layer]
            if index < hostsInSeveral {
                for more in 1...(1 + index % 5) {
                    // The others of its layer, and one of the next for every fourth host.
                    let other = index % 4 == 0 && more == 1 ? (layer + 1) % 3 : layer
                    let leaf = leaves[other][(index / 3 + more) % leaves[other].count]
                    if !own.contains(leaf) { own.append(leaf) }
                    if !layers.contains(other) { layers.append(other) }
                }
            }
            let address = "10.\(index / 62_500 % 250).\(index / 250 % 250).\(index % 250 + 1)"
            return Made(
                name: name(of: index, address), layers: layers.sorted().map { FleetGenerator.layers[$0] }, leaves: own,
                address: address,
                port: index % 10 == 3 ? 2222 : 22, user: index % 7 == 0 ? "root" : nil,
                jump: index >= hosts - throughSSHW ? bastion : nil)
        }
    }

    private func name(of index: Int, _ address: String) -> String {
        if index < bareAddresses { return address }
        if index < bareAddresses + longNames {
            return "node-\(index).a-long-name-of-a-rack.in-a-long-name-of-a-room.in-a-data-centre.fleet.example"
        }
        return index % 5 == 0 ? "Node_\(index)" : "node-\(index)"
    }

    // MARK: Files

    /// Writes `hosts.ini`, with variables of groups and hosts in files beside it.
    ///
    /// - Parameter vaulted: the lines of a file of variables that Ansible decrypts; nil for none.
    func write(to folder: URL, variableFiles: Int = 0, vaulted: String? = nil) throws {
        let files = FileManager.default
        let made = made
        for name in ["group_vars", "host_vars"] {
            try files.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        var ini: [String] = []
        for host in made {
            var words = [host.name]
            if host.name != host.address { words.append("ansible_host=\(host.address)") }
            if host.port != 22 { words.append("ansible_port=\(host.port)") }
            if let user = host.user { words.append("ansible_user=\(user)") }
            if host.jump != nil {
                words.append("ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -q ops@\(bastion)\"'")
            }
            ini.append(words.joined(separator: " "))
        }
        var members: [String: [String]] = [:]
        for host in made {
            for leaf in host.leaves { members[leaf, default: []].append(host.name) }
        }
        for layer in FleetGenerator.layers {
            for leaf in leaves(of: layer) { ini += ["[\(leaf)]"] + (members[leaf] ?? []) }
        }
        ini += groupLines
        try write(ini, to: folder.appending(path: "hosts.ini"))
        try write(["site: ams", "banner: \"{{ site }}-fleet\""], to: folder.appending(path: "group_vars/all.yml"))
        if let vaulted {
            for layer in FleetGenerator.layers {
                try write([vaulted], to: folder.appending(path: "group_vars/\(leaves(of: layer)[0]).yml"))
            }
        }
        for (index, host) in made.prefix(variableFiles).enumerated() {
            try write(
                ["rack: r\(index)", "note_\(index % 40): x"], to: folder.appending(path: "host_vars/\(host.name).yml"))
        }
    }

    /// One group of each layer around all of its leaves, in chains of groups of groups.
    private var groupLines: [String] {
        var lines: [String] = []
        let chains = FleetGenerator.layers.enumerated().map { index, layer in
            (
                layer,
                (0..<groupsOfGroups).filter { $0 % FleetGenerator.layers.count == index }.map { "\(layer)_tier_\($0)" }
            )
        }
        for (layer, chain) in chains {
            let leaves = leaves(of: layer)
            for (index, group) in chain.enumerated() {
                // A shallow tree: the first contains all others, and each of those a part of the leaves.
                let children =
                    index == 0
                    ? Array(chain.dropFirst())
                    : leaves.enumerated().filter { $0.offset % max(1, chain.count - 1) == index - 1 }.map(\.element)
                lines += ["[\(group):children]"] + (children.isEmpty ? [leaves[0]] : children)
            }
        }
        return lines
    }

    private func write(_ lines: [String], to file: URL) throws {
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
    }

    /// What `ansible-inventory --list` prints of it, without Ansible.
    var list: String {
        let made = made
        var variables: [String: [String: Any]] = [:]
        var groups: [String: [String: Any]] = [:]
        for host in made {
            var own: [String: Any] = ["site": "ams", "banner": "ams-fleet"]
            if host.name != host.address { own["ansible_host"] = host.address }
            if host.port != 22 { own["ansible_port"] = host.port }
            if let user = host.user { own["ansible_user"] = user }
            if host.jump != nil {
                own["ansible_ssh_common_args"] = "-o ProxyCommand=\"ssh -W %h:%p -q ops@\(bastion)\""
            }
            variables[host.name] = own
            for leaf in host.leaves {
                groups[leaf, default: ["hosts": [String]()]]["hosts"] =
                    (groups[leaf]?["hosts"] as? [String] ?? []) + [host.name]
            }
        }
        for layer in FleetGenerator.layers {
            groups["\(layer)_tier"] = ["children": leaves(of: layer).filter { groups[$0] != nil }]
        }
        groups["all"] = ["children": FleetGenerator.layers.map { "\($0)_tier" }]
        groups["_meta"] = ["hostvars": variables]
        let data = try? JSONSerialization.data(withJSONObject: groups, options: [.sortedKeys])
        return String(decoding: data ?? Data(), as: UTF8.self)
    }
}

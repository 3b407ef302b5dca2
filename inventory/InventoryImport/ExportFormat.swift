import FileReading
import Inventory
import SafeText
package import UpgradeDomain

/// A stored inventory as a file that an import reads back. Pinned keys are not part of it: they are pinned by hosts that
/// were compared, and stay with hosts whose address does not change.
package enum ExportFormat: String, CaseIterable, Sendable {
    /// An inventory of Ansible, for its `yaml` plugin.
    case ansible
    /// An inventory file of ours.
    case json
    /// A table.
    case csv

    package func text(of inventory: FleetInventory) -> String {
        switch self {
        case .json: InventoryText(ExportFormat.file(inventory)).text
        case .ansible: InventoryText(ExportFormat.ansible(inventory)).text
        case .csv: ExportFormat.table(inventory)
        }
    }

    // MARK: An inventory file

    private static func file(_ inventory: FleetInventory) -> FileTree {
        var members: [(String, FileTree.Content)] = [("version", .integer(1))]
        if let config = sshConfig(of: inventory) { members.append(("sshConfig", .text(config))) }
        members.append(("layers", layers(inventory)))
        members.append(
            (
                "hosts",
                .list(
                    inventory.hosts.map {
                        FileTree(mapping([("name", .text($0.name.rawValue))] + settings(of: $0)), line: 0)
                    })
            ))
        return FileTree(mapping(members), line: 0)
    }

    /// The ssh_config that its hosts were resolved with; nil for OpenSSH's own files.
    static func sshConfig(of inventory: FleetInventory) -> String? {
        inventory.hosts.lazy.compactMap { $0.ssh?.configFile }.first
    }

    private static func layers(_ inventory: FleetInventory) -> FileTree.Content {
        .list(
            inventory.layers.map { layer in
                let owners = layer.owners.map { FileTree(.text($0.rawValue), line: 0) }
                return FileTree(mapping([("name", .text(layer.name.rawValue)), ("owners", .list(owners))]), line: 0)
            })
    }

    /// The keys of a host's entry. What ssh_config said is left to it.
    static func settings(of host: Host) -> [(String, FileTree.Content)] {
        let ssh = host.ssh ?? SSHSettings()
        let pairs: [(String, FileTree.Content?)] = [
            ("address", .text(ssh.alias ?? host.address)), ("port", .integer(host.port)),
            ("user", host.user.isEmpty ? nil : literal(host.user)),
            ("jump", ssh.proxyJump == nil ? .text(host.jump?.rawValue ?? "none") : nil),
            ("identityFile", ssh.identityFiles.isEmpty ? host.identityFile.map(literal) : nil),
            ("transport", host.transport.map { .text($0.rawValue) }),
            ("silenceSeconds", host.silenceSeconds.map { .integer($0) }),
            ("labels", texts(host.labels)),
            ("workingDirectory", host.workingDirectory.isEmpty ? nil : literal(host.workingDirectory)),
            ("agentDirectory", host.agentDirectory.map(literal)), ("variables", texts(host.variables)),
            ("layers", host.placements.isEmpty ? nil : placements(of: host)),
        ]
        return pairs.compactMap { key, content in content.map { (key, $0) } }
    }

    private static func placements(of host: Host) -> FileTree.Content {
        mapping(
            host.placements.map { placement in
                let own: [(String, FileTree.Content?)] = [
                    ("baseURL", placement.baseURL.map(literal)),
                    ("workingDirectory", placement.workingDirectory.map(literal)),
                    ("variables", placement.variables.flatMap(texts)),
                ]
                return (placement.layer.rawValue, mapping(own.compactMap { key, content in content.map { (key, $0) } }))
            })
    }

    private static func texts(_ values: [String: String]) -> FileTree.Content? {
        values.isEmpty ? nil : mapping(values.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })
    }

    /// A text in which nothing is a placeholder.
    private static func literal(_ text: String) -> FileTree.Content { .text(escaped(text)) }

    private static func escaped(_ text: String) -> String { text.pieces(separatedBy: "${").joined(separator: "$${") }

    private static func mapping(_ members: [(String, FileTree.Content)]) -> FileTree.Content {
        .mapping(members.map { .init($0.0, FileTree($0.1, line: 0), line: 0) })
    }

    // MARK: Ansible

    /// Each layer is a group. What Ansible has no variable for is in `lockflight`, and the layers are in `lockflight_layers`.
    private static func ansible(_ inventory: FleetInventory) -> FileTree {
        let hosts = inventory.hosts.enumerated().map { index, host -> (String, FileTree.Content) in
            let own = settings(of: host)
            var variables: [(String, FileTree.Content)] = []
            for (key, variable) in [
                ("address", AnsibleVariable.host), ("port", .port), ("user", .user), ("identityFile", .privateKeyFile),
            ] {
                if let value = own.first(where: { $0.0 == key })?.1 {
                    variables.append((variable.rawValue, plain(value)))
                }
            }
            if let jump = host.jump, host.ssh?.proxyJump == nil, let way = way(through: jump, in: inventory) {
                variables.append((AnsibleVariable.commonArgs.rawValue, .text("-o ProxyJump=\(way)")))
            }
            let direct = ["address", "port", "user", "identityFile"]
            let rest = own.filter { !direct.contains($0.0) }
            variables.append((AnsibleVariable.entry.rawValue, raw(mapping(rest))))
            variables.append((AnsibleVariable.order.rawValue, .integer(index + 1)))
            return (host.name.rawValue, mapping(variables))
        }
        var children: [(String, FileTree.Content)] = []
        for layer in inventory.layers {
            let members = inventory.hosts(in: layer.name).map { ($0.name.rawValue, FileTree.Content.null) }
            children.append((group(of: layer.name), mapping([("hosts", mapping(members))])))
        }
        var shared = [(AnsibleVariable.layers.rawValue, layers(inventory))]
        if let config = sshConfig(of: inventory) { shared.append((AnsibleVariable.sshConfig.rawValue, .text(config))) }
        return FileTree(
            mapping([
                (
                    "all",
                    mapping([("vars", mapping(shared)), ("hosts", mapping(hosts)), ("children", mapping(children))])
                )
            ]), line: 0)
    }

    /// The layer's name as Ansible names groups, which are no hosts' names.
    private static func group(of layer: LayerName) -> String {
        let words = layer.rawValue.fields(separatedBy: ".-").joined(separator: "_")
        return ["all", "ungrouped"].contains(words) || (words.utf8.first ?? 0x30) < 0x41 ? "layer_\(words)" : words
    }

    /// The hosts on the way as ProxyJump names them.
    private static func way(through jump: HostName, in inventory: FleetInventory) -> String? {
        var hops: [String] = []
        var next: HostName? = jump
        while let name = next, hops.count < FleetInventory.jumpDepth,
            let host = inventory.hosts.first(where: { $0.name == name })
        {
            let user = host.user.isEmpty ? "" : "\(host.user)@"
            hops.append("\(user)\(host.address.bracketed)\(host.port == 22 ? "" : ":\(host.port)")")
            next = host.jump
        }
        return hops.isEmpty ? nil : hops.reversed().joined(separator: ",")
    }

    /// As Ansible has it, which knows no placeholders of ours.
    private static func plain(_ content: FileTree.Content) -> FileTree.Content {
        guard case .text(let text) = content else { return content }
        return .text(quoted(text.pieces(separatedBy: "$${").joined(separator: "${")))
    }

    /// Texts in which Ansible fills in nothing.
    private static func raw(_ content: FileTree.Content) -> FileTree.Content {
        switch content {
        case .text(let text): .text(quoted(text))
        case .list(let elements): .list(elements.map { FileTree(raw($0.content), line: 0) })
        case .mapping(let members):
            .mapping(members.map { .init($0.key, FileTree(raw($0.value.content), line: 0), line: 0) })
        case .null, .integer: content
        }
    }

    private static func quoted(_ text: String) -> String {
        ["{{", "{%", "{#"].contains { text.holds($0) } ? "{% raw %}\(text){% endraw %}" : text
    }

    // MARK: A table

    private static func table(_ inventory: FleetInventory) -> String {
        let keys = HostTable.keys.filter { $0 != "name" && $0 != "baseURL" }
        let labels = Set(inventory.hosts.flatMap(\.labels.keys)).sorted()
        let variables = Set(inventory.hosts.flatMap(\.variables.keys)).sorted()
        let config = sshConfig(of: inventory)
        var header = ["name"] + keys
        header += inventory.layers.map { "layer:\($0.name):\($0.owners.map(\.rawValue).joined(separator: " "))" }
        let own = LayerColumn.all(of: inventory)
        header += own.map(\.title)
        header += labels.map { "label:\($0)" } + variables.map { "var:\($0)" }
        if let config { header.append("sshConfig:\(config)") }
        var rows = [header.map { cell($0) }]
        for host in inventory.hosts {
            let settings = settings(of: host)
            var row: [String?] = [host.name.rawValue]
            row += keys.map { key in settings.first { $0.0 == key }.flatMap { text(of: $0.1) } }
            row += inventory.layers.map { layer in
                host.placement(in: layer.name).map { $0.baseURL.map(escaped) ?? HostTable.member }
            }
            row += own.map { $0.value(of: host) }
            row += labels.map { host.labels[$0] } + variables.map { host.variables[$0] }
            if config != nil { row.append(nil) }
            rows.append(row.map { $0.map(cell) ?? "" })
        }
        return rows.map { $0.joined(separator: ",") + "\r\n" }.joined()
    }

    private static func text(of content: FileTree.Content) -> String? {
        switch content {
        case .text(let text): text
        case .integer(let number): "\(number)"
        case .null, .list, .mapping: nil
        }
    }

    /// An empty text is in quotation marks, as an empty cell says nothing.
    private static func cell(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.holds(anyOf: ",;\t\"\r\n") && text.trimmed.utf8.count == text.utf8.count
        return isPlain ? text : "\"\(text.pieces(separatedBy: "\"").joined(separator: "\"\""))\""
    }
}

/// A column for what a layer has of its own on some host.
private struct LayerColumn: Hashable {
    var layer: LayerName
    /// Nil for its working directory.
    var variable: String?

    var title: String { variable.map { "var:\($0)@\(layer)" } ?? "workingDirectory:\(layer)" }

    static func all(of inventory: FleetInventory) -> [LayerColumn] {
        inventory.layers.flatMap { layer -> [LayerColumn] in
            let placements = inventory.hosts.compactMap { $0.placement(in: layer.name) }
            let hasFolder = placements.contains { $0.workingDirectory != nil }
            let variables = Set(placements.flatMap { ($0.variables ?? [:]).keys }).sorted()
            return (hasFolder ? [LayerColumn(layer: layer.name)] : [])
                + variables.map { LayerColumn(layer: layer.name, variable: $0) }
        }
    }

    func value(of host: Host) -> String? {
        let placement = host.placement(in: layer)
        guard let variable else {
            return placement?.workingDirectory?.pieces(separatedBy: "${").joined(separator: "$${")
        }
        return placement?.variables?[variable]
    }
}

import SafeText
package import UpgradeDomain

/// The changes of an import.
package struct InventoryDifference: Hashable, Sendable {
    /// One line per change, in the order of the file.
    package var changes: [String]

    package init(from old: FleetInventory?, to new: FleetInventory) {
        guard let old else {
            changes = ["first import: \(counted(new.hosts.count, "host")) in \(counted(new.layers.count, "layer"))"]
            return
        }
        var changes: [String] = []
        if old.layers.map(\.name) != new.layers.map(\.name) {
            let order = { (layers: [InventoryLayer]) in layers.map(\.name.rawValue).joined(separator: ", ") }
            changes.append("layers: \(order(old.layers)) -> \(order(new.layers))")
        }
        for layer in new.layers {
            if let before = old.layers.first(where: { $0.name == layer.name }), before.owners != layer.owners {
                let names = { (owners: [Owner]) in owners.map(\.rawValue).joined(separator: ", ") }
                changes.append("layer \(layer.name): owners \(names(before.owners)) -> \(names(layer.owners))")
            }
        }
        let earlier = Dictionary(old.hosts.map { ($0.name, $0) }) { first, _ in first }
        for host in new.hosts {
            if let before = earlier[host.name] {
                changes += InventoryDifference.fields(before, host).map { "host \(host.name): \($0)" }
            } else {
                changes.append("host \(host.name): added")
            }
        }
        let names = Set(new.hosts.map(\.name))
        changes += old.hosts.filter { !names.contains($0.name) }.map { "host \($0.name): removed" }
        // It decides which host is the canary, and approvals are for hosts in their order.
        let stayed = new.hosts.map(\.name).filter { earlier[$0] != nil }
        if stayed != old.hosts.map(\.name).filter(names.contains) {
            changes.append("order: the hosts are in another order: \(InventoryDifference.order(of: new.hosts))")
        }
        // Nothing that makes another inventory of it passes for no change.
        if changes.isEmpty, old != new { changes.append("the stored form of the inventory is another one") }
        self.changes = changes
    }

    /// How many hosts are named in their order at most.
    private static let namedHosts = 5

    private static func order(of hosts: [Host]) -> String {
        hosts.prefix(namedHosts).map(\.name.rawValue).joined(separator: ", ")
            + (hosts.count > namedHosts ? ", ..." : "")
    }

    /// A change, or nil if both are the same scalar by scalar. Two texts that look alike are quoted, with all that is not plain
    /// ASCII escaped.
    static func change(_ name: String, _ before: String, _ after: String) -> String? {
        if before.isSpelled(after) { return nil }
        return appearance(before) == appearance(after)
            ? "\(name) \(quoted(before)) -> \(quoted(after))" : "\(name) \(before) -> \(after)"
    }

    /// As a person sees it. Swift compares such texts by canonical equivalence, as fonts show them.
    private static func appearance(_ text: String) -> String {
        var seen = ""
        for scalar in Terminal.escaped(text).unicodeScalars {
            seen.unicodeScalars.append(scalar.properties.generalCategory == .spaceSeparator ? " " : scalar)
        }
        return seen
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "\"": quoted += "\\\(scalar)"
            case " "..."~": quoted.unicodeScalars.append(scalar)
            default: quoted += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return quoted + "\""
    }

    /// Names with their values. A value that could be read as more than one of them is in quotation marks.
    private static func list(_ values: [String: String]) -> String {
        func word(_ text: String) -> String { text.isEmpty || text.holds(anyOf: " =\"") ? quoted(text) : text }
        return values.isEmpty
            ? "none" : values.sorted { $0.key < $1.key }.map { "\($0)=\(word($1))" }.joined(separator: " ")
    }

    /// The settings from ssh_config, under their names there.
    private static func compareSSH(
        _ old: SSHSettings, _ new: SSHSettings, _ compare: (String, String, String) -> Void
    ) {
        func list(_ values: [String]) -> String { values.isEmpty ? "none" : values.joined(separator: ", ") }
        compare("alias", old.alias ?? "none", new.alias ?? "none")
        compare("sshConfig", old.configFile ?? "default", new.configFile ?? "default")
        if old.identityFiles.count > 1 || new.identityFiles.count > 1 {
            compare("IdentityFile", list(old.identityFiles), list(new.identityFiles))
        }
        compare("HostKeyAlias", old.hostKeyAlias ?? "none", new.hostKeyAlias ?? "none")
        compare("ProxyJump", old.proxyJump ?? "none", new.proxyJump ?? "none")
        compare("not honoured", list(old.notHonoured), list(new.notHonoured))
    }

    private static func fields(_ old: Host, _ new: Host) -> [String] {
        var changes: [String] = []
        func compare(_ name: String, _ before: String, _ after: String) {
            if let change = change(name, before, after) { changes.append(change) }
        }
        compare("address", old.address, new.address)
        compare("port", "\(old.port)", "\(new.port)")
        compare("user", old.user, new.user)
        compare("jump", old.jump?.rawValue ?? "none", new.jump?.rawValue ?? "none")
        compare("identityFile", old.identityFile ?? "none", new.identityFile ?? "none")
        let transport = { (host: Host) in (host.transport ?? .libssh2).rawValue }
        compare("transport", transport(old), transport(new))
        compareSSH(old.ssh ?? SSHSettings(), new.ssh ?? SSHSettings(), compare)
        let silence = { (host: Host) in host.silenceSeconds.map(String.init) ?? "default" }
        compare("silenceSeconds", silence(old), silence(new))
        compare("workingDirectory", old.workingDirectory, new.workingDirectory)
        compare("agentDirectory", old.agentDirectory ?? "default", new.agentDirectory ?? "default")
        compare("labels", list(old.labels), list(new.labels))
        compare("variables", list(old.variables), list(new.variables))
        let places = { (host: Host) in host.placements.map { "\($0.layer)=\($0.baseURL ?? "none")" } }
        compare("layers", places(old).joined(separator: " "), places(new).joined(separator: " "))
        for placement in new.placements {
            guard let before = old.placement(in: placement.layer) else { continue }
            compare(
                "\(placement.layer) workingDirectory", before.workingDirectory ?? "the host's",
                placement.workingDirectory ?? "the host's")
            compare("\(placement.layer) variables", list(before.variables ?? [:]), list(placement.variables ?? [:]))
        }
        compare("host keys", "\(old.hostKeys.count) pinned", "\(new.hostKeys.count) pinned")
        return changes
    }
}

extension FleetInventory {
    /// This inventory, with the pins of an earlier one for every host whose address did not change.
    package func keepingPins(of old: FleetInventory?) -> FleetInventory {
        guard let old else { return self }
        let earlier = Dictionary(old.hosts.map { ($0.name, $0) }) { first, _ in first }
        var kept = self
        for index in kept.hosts.indices {
            let host = kept.hosts[index]
            if let before = earlier[host.name], before.isAtPlace(of: host) {
                kept.hosts[index].hostKeys = before.hostKeys
            }
        }
        return kept
    }
}

import FileReading
import UpgradeDomain

/// Reads inventory files.
package enum InventoryFile {
    private static let mapping = Mapping(InventoryKeys())

    /// The inventory that a text describes, as far as it is readable, with all problems of the text.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: the file name in problem reports.
    package static func read(text: String, file: String) -> InventoryDraft {
        let reader = FileReader(file: file)
        var draft = InventoryDraft(file: file)
        if let root = reader.root(of: text), let section = Section(root, mapping, reader) {
            _ = section.value(\.version)
            let reading = InventoryReading(section: section)
            draft.sshConfig = section.value(\.sshConfig)
            (draft.layers, draft.entries) = reading.layersAndEntries()
        }
        (draft.problems, draft.unlistedProblems) = (reader.problems, reader.unlisted)
        return draft
    }
}

/// One reading of an inventory's root mapping.
private struct InventoryReading {
    let section: Section<InventoryKeys>
    var reader: FileReader { section.reader }

    /// The settings of hosts that do not set their own.
    struct Defaults {
        var user: String?
        var port: Int?
        var jump: String?
        var identityFile: String?
        var transport: HostTransport?
        var silenceSeconds: Int?
        var workingDirectory: String?
        var agentDirectory: String?
        var baseURL: String?
        var variables: [String: String] = [:]
        var labels: [String: String] = [:]
        /// Whether everything that was written here was valid.
        var isWhole = true

        /// What is said here, and what is said there where this is silent.
        func completed(from base: Defaults) -> Defaults {
            Defaults(
                user: user ?? base.user, port: port ?? base.port, jump: jump ?? base.jump,
                identityFile: identityFile ?? base.identityFile, transport: transport ?? base.transport,
                silenceSeconds: silenceSeconds ?? base.silenceSeconds,
                workingDirectory: workingDirectory ?? base.workingDirectory,
                agentDirectory: agentDirectory ?? base.agentDirectory, baseURL: baseURL ?? base.baseURL,
                variables: base.variables.merging(variables) { $1 }, labels: base.labels.merging(labels) { $1 },
                isWhole: isWhole && base.isWhole)
        }

        /// What is said both here and by another, and not the same: each key as the file has it.
        func differences(from other: Defaults, _ keys: HostSettingKeys) -> [String] {
            func differs<Value: Equatable>(_ one: Value?, _ two: Value?) -> Bool {
                one != nil && two != nil && one != two
            }
            func names(_ key: String, _ one: [String: String], _ two: [String: String]) -> [String] {
                one.keys.filter { differs(one[$0], two[$0]) }.sorted().map { "\(key).\($0)" }
            }
            let single = [
                (keys.user.name, differs(user, other.user)), (keys.port.name, differs(port, other.port)),
                (keys.jump.name, differs(jump, other.jump)),
                (keys.identityFile.name, differs(identityFile, other.identityFile)),
                (keys.transport.name, differs(transport, other.transport)),
                (keys.silenceSeconds.name, differs(silenceSeconds, other.silenceSeconds)),
                (keys.workingDirectory.name, differs(workingDirectory, other.workingDirectory)),
                (keys.agentDirectory.name, differs(agentDirectory, other.agentDirectory)),
                (keys.baseURL.name, differs(baseURL, other.baseURL)),
            ]
            return single.filter(\.1).map(\.0) + names(keys.variables.name, variables, other.variables)
                + names(keys.labels.name, labels, other.labels)
        }
    }

    /// The names that hosts may use, and whether all of them were valid.
    private struct Named<Value> {
        var values: [String: Value]
        var isWhole: Bool
    }

    func layersAndEntries() -> ([InventoryLayer], [InventoryDraft.Entry]) {
        let defaults =
            section.field(\.defaults) == nil
            ? Defaults(isWhole: !section.isMisspelled(\.defaults)) : readDefaults { section.value(\.defaults) }
        let groups = reader.whole { readGroups() }
        let layers = readLayers()
        let known = Named(
            values: Dictionary(layers.value.map { ($0.value.name.rawValue, ()) }) { first, _ in first },
            isWhole: layers.isWhole)
        let entries = readHosts(
            defaults, Named(values: groups.value, isWhole: groups.isWhole && !section.isMisspelled(\.groups)), known)
        let reached = withDirectWays(entries.value)
        checkNames(reached, layers.value, isWhole: entries.isWhole)
        return (layers.value.map(\.value), reached)
    }

    private func readDefaults(_ read: () -> Section<DefaultsKeys>?) -> Defaults {
        var (defaults, isWhole) = reader.whole { read().map { settings($0.part(\.settings)) } ?? Defaults() }
        defaults.isWhole = isWhole
        return defaults
    }

    private func settings(_ own: Section<HostSettingKeys>) -> Defaults {
        Defaults(
            user: own.value(\.user), port: own.value(\.port), jump: own.value(\.jump),
            identityFile: own.value(\.identityFile), transport: own.value(\.transport),
            silenceSeconds: own.value(\.silenceSeconds), workingDirectory: own.value(\.workingDirectory),
            agentDirectory: own.value(\.agentDirectory), baseURL: own.value(\.baseURL),
            variables: own.value(\.variables), labels: own.value(\.labels))
    }

    private func readGroups() -> [String: Defaults] {
        var groups: [String: Defaults] = [:]
        for entry in section.value(\.groups) where reader.name(entry.key, entry.line, "group", .machine) != nil {
            groups[entry.key] = readDefaults { entry.value }
        }
        return groups
    }

    /// What a host has unless it says otherwise: of its groups, a later one before an earlier one, and then of all.
    private func inherited(
        by own: Section<HostKeys>, _ host: String, _ defaults: Defaults, _ groups: Named<Defaults>
    ) -> (values: Defaults, overruled: [InventoryDraft.Overruled]) {
        let (names, isTaken) = reader.whole { own.value(\.group).map { [$0] } ?? own.value(\.groups) ?? [] }
        if own.field(\.group) != nil, own.field(\.groups) != nil {
            reader.report(own.line(of: \.groups), "host \(host) has 'group' and 'groups'", "write all under 'groups'")
        }
        var said = Defaults(isWhole: isTaken && !own.isMisspelled(\.group) && !own.isMisspelled(\.groups))
        var overruled: [InventoryDraft.Overruled] = []
        for (index, name) in names.enumerated() {
            guard let group = groups.values[name] else {
                // What its group would have given it is not known.
                said.isWhole = false
                if groups.isWhole { reportUnknown(name, of: host, own, groups.values) }
                continue
            }
            for earlier in names[..<index] {
                for key in groups.values[earlier].map({ group.differences(from: $0, own.keys.settings) }) ?? [] {
                    overruled.append(.init(key: key, group: earlier, by: name))
                }
            }
            said = group.completed(from: said)
        }
        return (said.completed(from: defaults), overruled)
    }

    private func reportUnknown(_ group: String, of host: String, _ own: Section<HostKeys>, _ groups: [String: Defaults])
    {
        reader.report(
            own.field(\.group) == nil ? own.line(of: \.groups) : own.line(of: \.group),
            "host \(host) is in an unknown group '\(group)'",
            groups.isEmpty
                ? "write the group: 'groups: {\(group): {...}}'"
                : "use one of: \(groups.keys.sorted().joined(separator: ", "))")
    }

    private typealias Placed<Value> = (value: Value, line: Int)

    /// The layers, and whether all of them are valid.
    private func readLayers() -> (value: [Placed<InventoryLayer>], isWhole: Bool) {
        guard let field = section.required(\.layers) else { return ([], false) }
        let (elements, isList) = reader.whole { reader.list(field) }
        if elements.isEmpty, isList {
            reader.report(field.line, "there are no layers", "list at least one layer with its owners")
        }
        let layers = readLayers(section.value(\.layers) ?? [])
        return (layers, isList && !elements.isEmpty && layers.count == elements.count)
    }

    private func readLayers(_ sections: [Section<InventoryLayerKeys>]) -> [Placed<InventoryLayer>] {
        var layers: [Placed<InventoryLayer>] = []
        for own in sections {
            guard let name = own.value(\.name) else { continue }
            let (owners, isWhole) = reader.whole { own.value(\.owners) }
            if owners.isEmpty {
                own.reportMissing(\.owners, "layer \(name) has no owner", ifWhole: isWhole)
            }
            if layers.contains(where: { $0.value.name.rawValue == name }) {
                reader.report(own.line(of: \.name), "layer \(name) is listed twice", "give each layer its own name")
            }
            layers.append((InventoryLayer(name: LayerName(name), owners: owners.map { Owner($0) }), own.line))
        }
        return layers
    }

    /// The hosts, and whether all of them and their layers are valid.
    private func readHosts(
        _ defaults: Defaults, _ groups: Named<Defaults>, _ layers: Named<Void>
    ) -> (value: [InventoryDraft.Entry], isWhole: Bool) {
        guard let field = section.required(\.hosts) else { return ([], false) }
        let (elements, isList) = reader.whole { reader.list(field) }
        if elements.isEmpty, isList { reader.report(field.line, "there are no hosts", "list at least one host") }
        let entries = (section.value(\.hosts) ?? []).compactMap { readHost($0, defaults, groups, layers) }
        return (
            entries,
            isList && !entries.isEmpty && entries.count == elements.count && entries.allSatisfy(\.hasWholeLayers)
        )
    }

    private func readHost(
        _ own: Section<HostKeys>, _ shared: Defaults, _ groups: Named<Defaults>, _ layers: Named<Void>
    ) -> InventoryDraft.Entry? {
        guard let name = own.value(\.name) else { return nil }
        let (defaults, overruled) = inherited(by: own, name, shared, groups)
        // Where nothing is said it is a DNS name, or an alias of ssh_config.
        let written = own.value(\.address)
        let address = own.field(\.address) == nil && !own.isMisspelled(\.address) ? name : written ?? ""
        // A name of ssh_config may be more than an address; what it stands for is looked at once that is known.
        let isName = HostAddress.isHarmless(address) && !HostAddress.isOvercomplete(address)
        if written != nil || !address.isEmpty, HostAddress(address) == nil, !isName {
            reader.report(
                own.line(of: \.address), "'\(address)' is not a valid address", HostAddress.remedy(for: address))
        }
        let variables = defaults.variables.merging(own.value(\.settings.variables)) { $1 }
        let said = InventoryDraft.Said(
            port: own.value(\.settings.port) ?? defaults.port,
            user: user(own.value(\.settings.user) ?? defaults.user, of: HostName(name), address, variables, own.line),
            identityFile: own.value(\.settings.identityFile) ?? defaults.identityFile,
            jump: jump(own.value(\.settings.jump) ?? defaults.jump),
            isDirect: (own.value(\.settings.jump) ?? defaults.jump) == "none")
        let folder = own.value(\.settings.workingDirectory) ?? defaults.workingDirectory
        let baseURL = own.value(\.settings.baseURL) ?? defaults.baseURL
        let (placements, isWhole) = reader.whole { self.placements(own, name, baseURL, layers) }
        let hasWholeLayers = isWhole && layers.isWhole && !own.isMisspelled(\.layers)
        if folder == nil, own.field(\.settings.workingDirectory) == nil, !own.isMisspelled(\.settings.workingDirectory),
            defaults.isWhole, isWhole, placements.contains(where: { $0.workingDirectory == nil })
        {
            reader.report(
                own.line, "host \(name) has no workingDirectory", "write the absolute path of its deployment checkout")
        }
        let host = Host(
            name: HostName(name), address: address, port: said.port ?? HostSettingKeys.usualPort, user: said.user ?? "",
            jump: said.jump,
            identityFile: said.identityFile, transport: own.value(\.settings.transport) ?? defaults.transport,
            silenceSeconds: own.value(\.settings.silenceSeconds) ?? defaults.silenceSeconds,
            labels: defaults.labels.merging(own.value(\.settings.labels)) { $1 },
            workingDirectory: folder ?? "",
            agentDirectory: own.value(\.settings.agentDirectory) ?? defaults.agentDirectory, variables: variables,
            placements: placements)
        return InventoryDraft.Entry(
            host: host, said: said, line: own.line, hasWholeLayers: hasWholeLayers,
            inheritsJump: own.field(\.settings.jump) == nil && defaults.jump != nil, overruled: overruled)
    }

    private func jump(_ text: String?) -> HostName? { text.flatMap { $0 == "none" ? nil : HostName($0) } }

    /// The host that all others are reached through, and those on the way to it, do not go through it themselves.
    private func withDirectWays(_ entries: [InventoryDraft.Entry]) -> [InventoryDraft.Entry] {
        let own = entries.filter { !$0.inheritsJump }.map { ($0.host.name, $0.said.jump) }
        let jumps = Dictionary(own) { first, _ in first }
        return entries.map { entry in
            guard entry.inheritsJump else { return entry }
            var next = entry.said.jump
            var count = 0
            while let hop = next, hop != entry.host.name, count <= FleetInventory.jumpDepth {
                next = jumps[hop] ?? nil
                count += 1
            }
            guard next == entry.host.name else { return entry }
            var direct = entry
            (direct.said.jump, direct.host.jump, direct.said.isDirect) = (nil, nil, true)
            return direct
        }
    }

    /// The layers of a host, each with what it has of its own there.
    private func placements(
        _ own: Section<HostKeys>, _ host: String, _ baseURL: String?, _ layers: Named<Void>
    ) -> [HostPlacement] {
        let entries = (own.value(\.layers) ?? []).map { layer in
            let variables = layer.own?.value(\.variables) ?? [:]
            let placement = HostPlacement(
                layer: LayerName(layer.name), baseURL: layer.own?.value(\.baseURL) ?? baseURL,
                workingDirectory: layer.own?.value(\.workingDirectory),
                variables: variables.isEmpty ? nil : variables)
            return (placement: placement, line: layer.line)
        }
        var placements: [HostPlacement] = []
        for (placement, line) in entries {
            let layer = placement.layer
            if layers.values[layer.rawValue] == nil {
                guard layers.isWhole else { continue }
                reader.report(
                    line, "host \(host) is in an unknown layer '\(layer)'",
                    "use one of: \(layers.values.keys.sorted().joined(separator: ", "))")
            } else if placements.contains(where: { $0.layer == layer }) {
                reader.report(line, "layer \(layer) of host \(host) is listed twice", "list it once")
            } else {
                placements.append(placement)
            }
        }
        return placements
    }

    /// - Parameter isWhole: whether all hosts and their layers are valid.
    private func checkNames(
        _ entries: [InventoryDraft.Entry], _ layers: [Placed<InventoryLayer>], isWhole: Bool
    ) {
        let names = Set(entries.map(\.host.name))
        var seen: [HostName: Int] = [:]
        for entry in entries {
            let host = entry.host
            if let first = seen[host.name] {
                reader.report(
                    entry.line, "host \(host.name) is listed twice",
                    "rename it, or remove it: the first entry is in line \(first)")
            }
            seen[host.name] = seen[host.name] ?? entry.line
            if let jump = host.jump, isWhole, !names.contains(jump) {
                reader.report(
                    entry.line, "host \(host.name) jumps through an unknown host '\(jump)'",
                    "use a host of this file")
            }
        }
        for (layer, line) in layers
        where isWhole && !entries.contains(where: { $0.host.placement(in: layer.name) != nil }) {
            reader.report(line, "layer \(layer.name) has no host", "put a host in it, or remove it")
        }
    }

    // MARK: Forms

    /// The user with its placeholders replaced, before ssh_config is resolved, because the result depends on the user.
    private func user(
        _ text: String?, of host: HostName, _ address: String, _ variables: [String: String], _ line: Int
    ) -> String? {
        guard let text, !Placeholder.names(in: text).isEmpty else { return text }
        let values = PlaceholderValues(host: host, address: address, variables: variables)
        return reader.filled(text, line, of: host, values).flatMap { reader.name($0, line, "user", .login) }
    }
}

import ContentDigest
package import FileReading
import SafeText
import UpgradeDomain

/// What `ansible-inventory --list` prints: groups of groups, ranges, precedence and vault are resolved by then. Values
/// with templates are as they were written; Ansible is asked for those once more.
package struct AnsibleList: Sendable {
    /// The JSON of an inventory may be this large; one host with its variables takes a few thousand bytes.
    package static let listBytes = 256 << 20

    private let file: String
    private let groups: [String: Answer]
    private let variables: [String: Answer]
    /// What templates stand for, by host and variable.
    private var values: [String: [String: Answer]] = [:]

    /// - Parameter json: the output, saved or fresh.
    /// - Throws: why it is not such an output.
    package init(_ json: [UInt8], file: String) throws(FileProblems) {
        self.file = file
        let remedy = "save the output of: ansible-inventory --list"
        let root: Answer
        do {
            root = try CanonicalJSON.answer(from: json)
        } catch {
            throw FileProblems([FileProblem(file: file, line: 0, message: error.description, remedy: remedy)])
        }
        guard case .object(var members) = root, case .object(let variables)? = members["_meta"]?.child("hostvars")
        else {
            let message = "it has no _meta.hostvars, as ansible-inventory --list prints it"
            throw FileProblems([FileProblem(file: file, line: 0, message: message, remedy: remedy)])
        }
        members["_meta"] = nil
        (groups, self.variables) = (members, variables)
    }

    /// Whether a text looks like such an output.
    package static func isPrinted(in text: String) -> Bool {
        text.trimmed.begins(with: "{") && text.holds("\"_meta\"") && text.holds("\"hostvars\"")
    }

    // MARK: Templates

    /// The variables that are read here and have a template in some host, with these hosts.
    ///
    /// - Parameter mapping: it takes more variables.
    package func templates(for mapping: InventoryMapping?) -> [String: [String]] {
        var found: [String: [String]] = [:]
        for (host, variables) in variables {
            guard case .object(let members) = variables else { continue }
            for (name, value) in members
            where AnsibleList.isAsked(name, value, mapping) {
                found[host, default: []].append(name)
            }
        }
        return found.mapValues { $0.sorted() }
    }

    /// A single value that is encrypted is listed as it is. Only what is needed to reach a host is decrypted: other secrets
    /// have no place in an inventory.
    private static func isAsked(_ name: String, _ value: Answer, _ mapping: InventoryMapping?) -> Bool {
        if AnsibleVariable(rawValue: name) != nil { return hasTemplate(value) || value.child("__ansible_vault") != nil }
        return mapping?.takesVariable(name) == true && hasTemplate(value)
    }

    /// Takes what Ansible says templates stand for: by host and variable.
    package mutating func take(templatesResolvedIn json: [UInt8]) throws {
        guard case .object(let hosts) = try CanonicalJSON.answer(from: json) else { return }
        for (host, variables) in hosts {
            if case .object(let members) = variables { values[host] = members.filter { $0.value != .null } }
        }
    }

    static func hasTemplate(_ value: Answer) -> Bool {
        switch value {
        case .string(let text): text.holds("{{") || text.holds("{%")
        case .array(let elements): elements.contains(where: hasTemplate)
        case .object(let members): members.values.contains(where: hasTemplate)
        case .null, .bool, .number: false
        }
    }

    // MARK: Hosts and groups

    package var inventory: ForeignInventory {
        var inventory = ForeignInventory(file: file)
        inventory.groups = orderedGroups
        let memberships = GroupMemberships(of: inventory.groups)
        var listed: Set<String> = []
        let names = inventory.groups.flatMap(\.hosts) + variables.keys.sorted()
        for name in names where listed.insert(name).inserted {
            var members: [String: Answer] = [:]
            if case .object(let own)? = variables[name] { members = own }
            var host = ForeignHost(name: name)
            host.groups = memberships.groups(of: name)
            AnsibleHost(members, filledIn: values[name] ?? [:]).describe(&host, in: &inventory)
        }
        // As an export of ours numbers them; hosts without a number keep their order behind those.
        inventory.hosts = inventory.hosts.enumerated().sorted { one, two in
            (one.element.order ?? .max, one.offset) < (two.element.order ?? .max, two.offset)
        }.map(\.element)
        return inventory
    }

    /// From `all` on in the order of the file, as Ansible keeps it in lists of children.
    private var orderedGroups: [ForeignGroup] {
        var order: [ForeignGroup] = []
        var seen: Set<String> = []
        var waiting = groups.keys.sorted(by: >)
        if groups["all"] != nil { waiting.append("all") }
        while let name = waiting.popLast() {
            guard let group = groups[name], seen.insert(name).inserted else { continue }
            // Scripts of old print the hosts alone.
            let hosts = AnsibleList.texts(group.child("hosts") ?? group)
            order.append(ForeignGroup(name: name, children: AnsibleList.texts(group.child("children")), hosts: hosts))
            waiting += order[order.count - 1].children.reversed()
        }
        return order
    }

    private static func texts(_ list: Answer?) -> [String] {
        if case .array(let elements)? = list { elements.compactMap(\.text) } else { [] }
    }
}

/// The groups of each host, with the groups of groups.
struct GroupMemberships {
    private var direct: [String: [String]] = [:]
    private var parents: [String: [String]] = [:]

    init(of groups: [ForeignGroup]) {
        for group in groups {
            for host in group.hosts { direct[host, default: []].append(group.name) }
            for child in group.children { parents[child, default: []].append(group.name) }
        }
    }

    /// The nearest groups first, and `all` last.
    func groups(of host: String) -> [String] {
        var found: [String] = []
        var seen: Set<String> = ["all"]
        var level = direct[host] ?? []
        while !level.isEmpty {
            let new = level.filter { seen.insert($0).inserted }
            found += new
            level = new.flatMap { parents[$0] ?? [] }
        }
        return found + ["all"]
    }
}

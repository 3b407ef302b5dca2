import FileReading
import Inventory
import SafeText
import UpgradeDomain

/// The variables of Ansible that say how a host is reached, and ours.
enum AnsibleVariable: String, CaseIterable {
    case host = "ansible_host"
    case port = "ansible_port"
    case user = "ansible_user"
    case privateKeyFile = "ansible_ssh_private_key_file"
    case connection = "ansible_connection"
    // In the order in which Ansible gives them to ssh.
    case sshArgs = "ansible_ssh_args"
    case commonArgs = "ansible_ssh_common_args"
    case extraArgs = "ansible_ssh_extra_args"
    // Their older names.
    case sshHost = "ansible_ssh_host"
    case sshPort = "ansible_ssh_port"
    case sshUser = "ansible_ssh_user"
    case keyFile = "ansible_private_key_file"
    /// Keys of a host's entry, as an export of ours has them.
    case entry = "lockflight"
    /// The layers in their order, as an export of ours has them.
    case layers = "lockflight_layers"
    case sshConfig = "lockflight_ssh_config"
    /// A host's place among all, as Ansible sorts hosts by their groups.
    case order = "lockflight_order"

    /// The key of a host's entry that it says.
    var key: String {
        switch self {
        case .host, .sshHost: "address"
        case .port, .sshPort: "port"
        case .user, .sshUser: "user"
        case .privateKeyFile, .keyFile: "identityFile"
        case .connection: "transport"
        case .sshArgs, .commonArgs, .extraArgs: "jump"
        case .entry, .layers, .sshConfig, .order: rawValue
        }
    }
}

/// A host's variables as Ansible resolves them.
struct AnsibleHost {
    private let variables: [String: Answer]
    /// The variables that Ansible has filled in: what looks like a template in them is a text.
    private let filled: Set<String>

    init(_ variables: [String: Answer], filledIn values: [String: Answer] = [:]) {
        self.variables = variables.merging(values) { $1 }
        filled = Set(values.keys)
    }

    private func isOpen(_ name: String, _ value: Answer) -> Bool {
        !filled.contains(name) && AnsibleList.hasTemplate(value)
    }

    /// Adds the host to an inventory, with what its variables say.
    func describe(_ host: inout ForeignHost, in inventory: inout ForeignInventory) {
        if let connection = text(.connection, of: host, &inventory), !AnsibleHost.overSSH.contains(connection) {
            inventory.unreachable["ansible_connection \(connection)", default: []].append(host.name)
            return
        }
        takeOwn(&host, in: &inventory)
        // The older names win, as in Ansible's own ssh.
        for variable in [AnsibleVariable.sshHost, .host, .sshPort, .port, .sshUser, .user, .privateKeyFile, .keyFile]
        where host.entry[variable.key] == nil {
            host.take(variable.key, text(variable, of: host, &inventory), from: variable.rawValue)
        }
        host.order = text(.order, of: host, &inventory).flatMap { Int($0) }
        takeWords(&host, in: &inventory)
        for (name, value) in variables where AnsibleVariable(rawValue: name) == nil {
            host.variables[name] = .some(AnsibleHost.plain(value))
            if isOpen(name, value) { host.unresolved.insert(name) }
            if value.child("__ansible_vault") != nil { host.encrypted.insert(name) }
        }
        inventory.hosts.append(host)
    }

    private static let overSSH = [
        "ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh",
    ]

    /// What an export of ours keeps for an import.
    private func takeOwn(_ host: inout ForeignHost, in inventory: inout ForeignInventory) {
        if let own = variables[AnsibleVariable.entry.rawValue] {
            if isOpen(AnsibleVariable.entry.rawValue, own) {
                inventory.report(
                    0, "the variable lockflight of host \(host.name) has a template without a value",
                    AnsibleHost.remedy)
            } else if case .object(let members) = own {
                for (key, value) in members { host.entry[key] = FileTree(value).content }
            } else {
                inventory.report(
                    0, "the variable lockflight of host \(host.name) is not a mapping", "write keys of a host's entry")
            }
        }
        if inventory.layers.isEmpty, let layers = variables[AnsibleVariable.layers.rawValue] {
            inventory.layers = FileTree(layers).elements
        }
        inventory.sshConfig = inventory.sshConfig ?? variables[AnsibleVariable.sshConfig.rawValue]?.text
    }

    /// The words that Ansible gives to ssh: the way to the host, and options of which most have no place here.
    private func takeWords(_ host: inout ForeignHost, in inventory: inout ForeignInventory) {
        let texts = [AnsibleVariable.sshArgs, .commonArgs, .extraArgs].compactMap { text($0, of: host, &inventory) }
        guard !texts.isEmpty else { return }
        let words = SSHWords(texts.joined(separator: " "))
        for (key, option) in [("port", "port"), ("user", "user"), ("identityFile", "identityfile")] {
            host.take(key, words.options[option], from: "an option in \(AnsibleVariable.commonArgs.rawValue)")
        }
        (host.way, host.proxyCommand) = words.route
        let taken = ["port", "user", "identityfile", "proxyjump", "proxycommand"]
        for name in words.names where !taken.contains(name.lowercased()) {
            inventory.drop(name.begins(with: "-") ? "ssh \(name)" : "ssh -o \(name)")
        }
    }

    /// The value of a variable; nil, with a problem recorded, if nobody resolved it.
    private func text(
        _ variable: AnsibleVariable, of host: ForeignHost, _ inventory: inout ForeignInventory
    ) -> String? {
        guard let value = variables[variable.rawValue], value != .null else { return nil }
        guard let text = AnsibleHost.plain(value) else {
            let kind = value.child("__ansible_vault") != nil ? "encrypted" : "not a single value"
            inventory.report(
                variable.key, of: host.name, "\(variable.rawValue) of host \(host.name) is \(kind)",
                "write the value under 'hosts' in the mapping file")
            return nil
        }
        if isOpen(variable.rawValue, value) {
            inventory.report(
                variable.key, of: host.name,
                "\(variable.rawValue) of host \(host.name) is a template without a value: \(text)",
                AnsibleHost.remedy)
            return nil
        }
        return text
    }

    static let remedy = "import the inventory itself with --from ansible, so that Ansible fills it in, or correct it"

    /// The text of a single value.
    private static func plain(_ value: Answer) -> String? { value.text ?? value.child("__ansible_unsafe")?.text }
}

extension FileTree {
    /// A value of JSON, without lines.
    init(_ value: Answer) {
        let content: Content =
            switch value {
            case .null: .null
            case .bool, .number, .string: .text(value.text ?? "")
            case .array(let elements): .list(elements.map { FileTree($0) })
            case .object(let members):
                value.child("__ansible_unsafe")?.text.map { .text($0) }
                    ?? .mapping(members.sorted { $0.key < $1.key }.map { Member($0.key, FileTree($0.value), line: 0) })
            }
        self.init(content, line: 0)
    }
}

import FileReading
import UpgradeDomain

// Every key of an inventory file. How to add one: see `Key`.

/// The whole file.
struct InventoryKeys: KeyTable {
    static let title = "inventory"
    static let meaning = "The whole file: which hosts there are, in which layers, and who answers for each layer."

    let version = Key(
        "version", .integer(1...1), presence: .required("write 'version: 1'"), "The version of this format.",
        example: "1")
    let sshConfig = Key(
        "sshConfig", .path,
        "The ssh_config that says what entries leave open, relative to this file's folder; `none` for none.",
        otherwise: "OpenSSH's own files", example: "./ssh_config")
    let defaults = Key(
        "defaults", .mapping(DefaultsKeys()), "What every host has unless its groups or its entry say otherwise.",
        example: "{user: deploy, workingDirectory: /srv/stack}")
    let groups = Key(
        "groups", .map(.groupName, .mapping(DefaultsKeys())), default: [],
        "By name, what the hosts of a group have unless their entries say otherwise.",
        example: "{hardened: {transport: openssh, port: 2222}}")
    let layers = Key(
        "layers", .list(.mapping(InventoryLayerKeys()), count: 1...Int.max, isReportedEmpty: false),
        presence: .required("list the layers in the order in which they are upgraded"),
        "The layers, in the order in which they are upgraded.", example: "[{name: core, owners: [ana]}]")
    let hosts = Key(
        "hosts", .list(.mapping(HostKeys()), count: 1...Int.max), presence: .required("list the hosts"), "The hosts.",
        example: """
            [{name: bastion-1}, {name: core-1, jump: bastion-1, workingDirectory: /srv/stack, \
            baseURL: "http://127.0.0.1:8080", layers: [core]}]
            """)
}

/// Settings of a host. Its own entry has precedence over its groups, and these over the defaults.
struct HostSettingKeys: KeyGroup {
    /// OpenSSH's own.
    static let usualPort = 22

    let user = Key(
        "user", .login, "Who logs in.", otherwise: "the user that ssh_config names, else the one who runs Lockflight",
        example: "deploy")
    let port = Key(
        "port", .integer(1...65_535), "The port of the host's sshd.",
        otherwise: "the port of ssh_config, else \(HostSettingKeys.usualPort)", example: "2222")
    let jump = Key(
        "jump", .text(.jumpHost),
        "The host of this file to go through. That host itself, and those on the way to it, are reached without it. `none`: reached directly, whatever ssh_config or the defaults say.",
        otherwise: "ProxyJump of ssh_config", example: "bastion-1")
    let identityFile = Key(
        "identityFile", .path,
        "The key to log in with, or its .pub where an ssh-agent holds it. `~` is your home.",
        otherwise: "IdentityFile of ssh_config, else the keys of ssh-agent", example: "~/.ssh/id_ed25519")
    let transport = Key(
        "transport", .word(HostTransport.self, called: "transport"),
        "What carries the connection: Lockflight's own client, or OpenSSH's `ssh` for what libssh2 does not support.",
        otherwise: "libssh2", example: "openssh")
    let silenceSeconds = Key(
        "silenceSeconds", .integer(3...600),
        "How long a connection may stay silent, keepalives included, before it counts as lost.", otherwise: "30",
        example: "60")
    let workingDirectory = Key(
        "workingDirectory", .directory, presence: .inherited("write the absolute path of its deployment checkout"),
        "The deployment checkout on the host, as an absolute path. A plan's commands run there. A jump host needs none.",
        example: "\"/srv/${host}\"")
    let agentDirectory = Key(
        "agentDirectory", .directory,
        "Where the host keeps Lockflight's agents, as an absolute path: for a home where nothing may be executed.",
        otherwise: "~/.local/lib/lockflight", example: "/opt/lockflight")
    let baseURL = Key(
        "baseURL", .baseURL,
        "The service as the host itself reaches it, without a final slash: `${baseURL}` in a plan. A host that is asked nothing over HTTP needs none.",
        example: "\"http://${address}:8080\"")
    let variables = Key(
        "variables", .textMap(), default: [:],
        "Values for `${var.NAME}` in this file and in plans. Defaults, groups and entry are merged by name.",
        example: "{site: ams, workers: 4}")
    let labels = Key(
        "labels", .textMap(), default: [:], "Texts that are shown with the host, and have no other effect.",
        example: "{rack: a}")
}

/// The defaults, or a group.
struct DefaultsKeys: KeyTable {
    static let title = "defaults"
    static let meaning = "What hosts have unless they say otherwise: all of them under `defaults`, or those of a group."

    let settings = HostSettingKeys()
}

struct InventoryLayerKeys: KeyTable {
    static let title = "layer"
    static let meaning = "A layer of the inventory."

    let name = Key(
        "name", .name("layer", .machine), presence: .required("give the layer a name"),
        "The name that hosts and plans use.",
        example: "core")
    let owners = Key(
        "owners", .list(.name("owner", .word), count: 1...Int.max, isReportedEmpty: false),
        presence: .required("write 'owners: [NAME]': someone must approve changes to it"), default: [],
        "Who may approve a change of the layer.", example: "[platform-team, ana]")
}

struct HostKeys: KeyTable {
    static let title = "host"
    static let meaning = "A host, or a jump host on the way to one."

    let name = Key(
        "name", .name("host", .machine), presence: .required("give the host a name"),
        "The name that everything else uses.",
        example: "core-1.example.net")
    let group = Key(
        "group", .text(.groupName), "The group whose settings the host has, if there is one.", example: "hardened")
    let groups = Key(
        "groups", .list(.text(.groupName), count: 1...Int.max),
        "Several groups. A later one overrules an earlier one; the import names what it overrules.",
        example: "[hardened, eu]")
    let address = Key(
        "address", .text, "A name, an IPv4 or an IPv6 address, or an alias of ssh_config.",
        otherwise: "the host's name",
        example: "192.0.2.11")
    let settings = HostSettingKeys()
    let layers = Key(
        "layers", .hostLayers,
        "The layers that the host is in: a list, or a mapping if they have settings of their own. A jump host needs none.",
        example: "[core]")
}

/// A layer of a host that has settings of its own.
struct HostLayerKeys: KeyTable {
    static let title = "hostLayer"
    static let meaning = "What a host has in one of its layers, instead of what its entry says."

    let baseURL = Key(
        "baseURL", .baseURL, "The service of this layer, as the host itself reaches it.",
        otherwise: "the host's", example: "http://127.0.0.1:8090")
    let workingDirectory = Key(
        "workingDirectory", .directory, "The deployment checkout of this layer's stack.", otherwise: "the host's",
        example: "/srv/wiki")
    let variables = Key(
        "variables", .textMap(), default: [:], "Variables of this layer, besides the host's or instead of them.",
        example: "{role: wiki}")
}

// MARK: Forms

/// A layer in a host's entry.
struct HostLayer {
    let name: String
    let line: Int
    /// What the host says for this layer alone.
    let own: Section<HostLayerKeys>?
}

extension Form where Value == [HostLayer] {
    fileprivate static var hostLayers: Form {
        let names = Form<[String]>.list(.text(TextRule("layer name", grammar: .machine)))
        let own = Form<Section<HostLayerKeys>>.mapping(HostLayerKeys())
        let settings = Form<[MapEntry<Section<HostLayerKeys>>]>.map(TextRule("layer name", grammar: .machine), own)
        return Form(.either([names.type, settings.type])) { reader, field in
            guard field.isMapping else {
                return reader.list(field).compactMap { element in
                    reader.text(element).map { HostLayer(name: $0, line: element.line, own: nil) }
                }
            }
            return reader.pairs(field).compactMap { name, value in
                if value.isEmpty { return HostLayer(name: name, line: value.line, own: nil) }
                return own.read(reader, value).map { HostLayer(name: name, line: value.line, own: $0) }
            }
        }
    }
}

extension TextRule {
    fileprivate static let groupName = TextRule("group name", grammar: .machine)
    fileprivate static let jumpHost = TextRule("host name", grammar: .machine)
}

/// Texts with placeholders are checked once their values are known.
extension Form where Value == String {
    fileprivate static var login: Form {
        text(TextRule("user name")) { reader, field, text in
            Placeholder.isIn(text) ? text : reader.name(text, field.line, "user", .login)
        }
    }

    /// An empty one would count as absent in some places and as a path in others.
    fileprivate static var path: Form {
        text(TextRule()) { reader, field, text in
            guard text.isEmpty else { return text }
            reader.report(field.line, "the \(field.key) is empty", "write a path, or leave it out")
            return nil
        }
    }

    fileprivate static var directory: Form {
        text(TextRule("absolute path", pattern: #"^(/|\$\{)"#)) { reader, field, text in
            if text.utf8.first == 0x2f || Placeholder.isIn(text) { return text }
            reader.report(field.line, "\(field.key) '\(text)' is not absolute", "start it with '/'")
            return nil
        }
    }

    fileprivate static var baseURL: Form {
        text(TextRule("URL", pattern: #"^(https?://\S*[^/\s]|.*\$\{.*\}.*)$"#)) { reader, field, text in
            Placeholder.isIn(text) ? text : reader.baseURL(text, field.line)
        }
    }
}

extension Placeholder {
    fileprivate static func isIn(_ text: String) -> Bool { !names(in: text).isEmpty }
}

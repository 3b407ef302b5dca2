import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Foundation
import Inventory
import InventoryImport
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct InventoryImport: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Validate an inventory and store it.",
        discussion: """
            Settings that the file leaves out (user, port, identityFile, jump) come from ssh_config, as ssh -G resolves
            it. All errors are reported at once. Hosts whose address does not change keep their pinned keys.

            An inventory from elsewhere needs a mapping file, which says what its layers are and who owns them:
            --init-map writes one to edit, --map uses it. With --from ansible your own ansible-inventory reads PATH, so its
            plugins, scripts and vault passwords run as you; its saved output (--list) and .csv files are recognised.
            Example: lockflight inventory import fleet.yaml
            Example: lockflight inventory import hosts.ini --from ansible --init-map m.yaml
            Example: lockflight inventory import hosts.ini --from ansible --map m.yaml
            """)

    /// How many hosts one remark names at most.
    static let namedHosts = 3

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The inventory: a file, or a folder of Ansible.", completion: .file()) var file: String
    @Option(name: .long, help: "What the file is, where it does not say it: lockflight, ansible, ssh-config or csv.")
    var from: InventoryFormat?
    @Option(name: .long, help: "The mapping file of an inventory from elsewhere.", completion: .file()) var map: String?
    @Option(name: .long, help: "Write a mapping file to edit, and store nothing.", completion: .file())
    var initMap: String?
    @Flag(name: .long, help: "Read the ssh_config that the file names, even outside your own ssh folder.")
    var allowSSHConfig = false

    func validate() throws {
        if map != nil, initMap != nil { throw ValidationError("--map and --init-map can not be used together") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let source = InventorySource(path: file, format: from, context: context)
        if let initMap { return try await MappingStart(source: source, path: initMap).written() }
        let read = try await source.read(map: map)
        return try await store(read, context)
    }

    private func store(_ read: InventorySource.Read, _ context: Context) async throws -> CommandResult {
        var source = read
        let draft = source.draft
        let folder = URL(fileURLWithPath: map ?? file).deletingLastPathComponent()
        if !allowSSHConfig, let named = SSHConfig.foreignFile(of: draft, folder: folder) {
            throw CommandError(
                .refused,
                "\(file) names the ssh_config \(named), which may run commands as you (Match exec, ProxyCommand)",
                consequence: "It was not read, and nothing was stored. If you trust it, add --allow-ssh-config.",
                next: .importTrustingSSHConfig(file: file, format: from?.rawValue, map: map))
        }
        var answers = try await SSHConfig.answers(for: draft, folder: folder)
        if case .mapped(let mapped) = source, let led = mapped.following(answers) {
            source = .mapped(led)
            answers = try await SSHConfig.answers(for: led.draft, folder: folder, known: answers)
        }
        let found = try source.resolved(by: answers)
        let ledger = try await context.ledgerForImport()
        let stored = try await ledger.changeInventory(by: context.user, at: Context.clock.wall()) { current in
            found.keepingPins(of: current)
        }
        let inventory = stored.current
        let difference = InventoryDifference(from: stored.previous, to: inventory)
        let changes = difference.changes.isEmpty ? ["nothing changed"] : difference.changes
        let unpinned = inventory.hosts.filter(\.hostKeys.isEmpty).count
        var remarks = draft.overruled.map { what, hosts -> TerminalText in
            "group \(what.by) overrules group \(what.group) in \(what.key), for \(InventoryImport.list(hosts))"
        }
        var dropped: [String: Int]?
        if case .mapped(let mapped) = source {
            remarks = mapped.remarks.map(TerminalText.init(escaping:)) + remarks
            dropped = mapped.dropped
        }
        remarks += InventoryImport.remarks(on: inventory)
        if unpinned > 0 { remarks.append("\(counted(unpinned, "host")) without a pinned key") }
        return CommandResult(
            lines: changes.map(TerminalText.init(escaping:)),
            document: Document(
                digest: stored.digest, hosts: inventory.hosts.count, changes: difference.changes, dropped: dropped),
            remarks: remarks, next: unpinned > 0 ? [.trustKeys(hosts: [])] : [])
    }

    /// Options of ssh_config that are not honoured, grouped by hosts with the same options.
    static func remarks(on inventory: FleetInventory) -> [TerminalText] {
        var order: [[String]] = []
        var names: [[String]: [HostName]] = [:]
        for host in inventory.hosts {
            guard let options = host.ssh?.notHonoured, !options.isEmpty else { continue }
            if names[options] == nil { order.append(options) }
            names[options, default: []].append(host.name)
        }
        return order.map { options -> TerminalText in
            "ssh_config sets options that are not honoured: \(options.joined(separator: ", ")), for "
                + "\(list(names[options] ?? [])); inventory show HOST lists them"
        }
    }

    /// The first few of them, and how many more there are.
    private static func list(_ hosts: [HostName]) -> String {
        let more = hosts.count > namedHosts ? " and \(hosts.count - namedHosts) more" : ""
        return hosts.prefix(namedHosts).map(\.rawValue).joined(separator: ", ") + more
    }

    private struct Document: Encodable {
        var digest: Digest
        var hosts: Int
        var changes: [String]
        /// What an inventory from elsewhere says of hosts and is not taken, with the number of hosts.
        var dropped: [String: Int]?
    }
}

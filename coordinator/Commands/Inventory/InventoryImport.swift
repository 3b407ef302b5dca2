import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Foundation
import Inventory
import Ledger
import OperatorCommands
import SafeText
import UpgradeDomain

struct InventoryImport: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Validate an inventory file and store it.",
        discussion: """
            Settings that the file leaves out (user, port, identityFile, jump) come from ssh_config, as ssh -G resolves
            it. All errors are reported at once. Hosts whose address does not change keep their pinned keys.
            Example: lockflight inventory import fleet.yaml
            """)

    /// How many hosts one remark names at most.
    static let namedHosts = 3

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The inventory file.", completion: .file()) var file: String
    @Flag(name: .long, help: "Read the ssh_config that the file names, even outside your own ssh folder.")
    var allowSSHConfig = false

    func perform(_ context: Context) async throws -> CommandResult {
        let draft = InventoryFile.read(text: try context.readFile(file), file: file)
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        if !allowSSHConfig, let named = SSHConfig.foreignFile(of: draft, folder: folder) {
            throw CommandError(
                .refused,
                "\(file) names the ssh_config \(named), which may run commands as you (Match exec, ProxyCommand)",
                consequence: "It was not read, and nothing was stored. If you trust it, add --allow-ssh-config.",
                next: .importTrustingSSHConfig(file: file))
        }
        let read = try draft.resolved(by: try await SSHConfig.answers(for: draft, folder: folder))
        let ledger = try await context.ledgerForImport()
        let stored = try await ledger.changeInventory(by: context.user, at: Context.clock.wall()) { current in
            read.keepingPins(of: current)
        }
        let inventory = stored.current
        let difference = InventoryDifference(from: stored.previous, to: inventory)
        let changes = difference.changes.isEmpty ? ["nothing changed"] : difference.changes
        let unpinned = inventory.hosts.filter(\.hostKeys.isEmpty).count
        var remarks = draft.overruled.map { what, hosts -> TerminalText in
            "group \(what.by) overrules group \(what.group) in \(what.key), for \(InventoryImport.list(hosts))"
        }
        remarks += InventoryImport.remarks(on: inventory)
        if unpinned > 0 { remarks.append("\(counted(unpinned, "host")) without a pinned key") }
        return CommandResult(
            lines: changes.map(TerminalText.init(escaping:)),
            document: Document(digest: stored.digest, hosts: inventory.hosts.count, changes: difference.changes),
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
    }
}

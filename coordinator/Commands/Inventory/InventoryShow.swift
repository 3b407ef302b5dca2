import ArgumentParser
import FleetAccess
import OperatorCommands
import SafeText
import UpgradeDomain

struct InventoryShow: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show everything that is known about one host.",
        discussion: "Example: lockflight inventory show core-1")

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The host's name.") var host: String

    func perform(_ context: Context) async throws -> CommandResult {
        let inventory = try await context.inventory(of: try context.existingLedger())
        guard let found = inventory.hosts.first(where: { $0.name.rawValue == host }) else {
            throw CommandError(.refused, "the inventory has no host '\(host)'", next: .listInventory)
        }
        var rows = [
            ["address", found.address], ["port", "\(found.port)"], ["user", found.user],
            ["transport", found.transport?.rawValue ?? "libssh2 (default)"],
            ["silenceSeconds", found.silenceSeconds.map(String.init) ?? "30 (default)"],
            [
                "identityFile",
                found.identityFiles.isEmpty
                    ? "\(KeyRing.standardFiles.joined(separator: ", ")) (default)"
                    : found.identityFiles.joined(separator: ", "),
            ],
            ["jump", found.jump?.rawValue ?? "none"],
            ["workingDirectory", found.workingDirectory.isEmpty ? "one for each layer" : found.workingDirectory],
            ["agentDirectory", found.agentDirectory ?? "\(AgentFolder(nil)) (default)"],
        ]
        rows += InventoryShow.rows(of: found.ssh)
        rows += found.placements.flatMap(InventoryShow.rows)
        rows += found.labels.sorted { $0.key < $1.key }.map { ["label \($0)", $1] }
        rows += found.variables.sorted { $0.key < $1.key }.map { ["variable \($0)", $1] }
        rows += found.hostKeys.map { ["host key", "\($0.type) \($0.base64)"] }
        if found.hostKeys.isEmpty { rows.append(["host key", "none pinned: no connection is allowed"]) }
        let table = TextTable(headers: ["FIELD", "VALUE"], rows: rows.map { $0.map(TerminalText.init(escaping:)) })
        return CommandResult(lines: table.lines(width: context.width, style: context.style), document: found)
    }

    private static func rows(of placement: HostPlacement) -> [[String]] {
        let name = "layer \(placement.layer)"
        var rows = [[name, placement.baseURL ?? "no baseURL"]]
        rows += placement.workingDirectory.map { [["\(name), workingDirectory", $0]] } ?? []
        rows += (placement.variables ?? [:]).sorted { $0.key < $1.key }.map { ["\(name), variable \($0)", $1] }
        return rows
    }

    /// The settings of ssh_config that are shown besides the other fields, if any.
    private static func rows(of ssh: SSHSettings?) -> [[String]] {
        guard let ssh else { return [] }
        let notHonoured = ssh.notHonoured.isEmpty ? nil : ssh.notHonoured.joined(separator: ", ")
        let rows = [
            ("ssh_config", ssh.configFile), ("ssh alias", ssh.alias), ("HostKeyAlias", ssh.hostKeyAlias),
            ("ProxyJump", ssh.proxyJump), ("not honoured", notHonoured),
        ]
        return rows.compactMap { name, value in value.map { [name, $0] } }
    }
}

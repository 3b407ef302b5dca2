import ArgumentParser
import CoordinatorRuntime
import Foundation
import Ledger
import UpgradeDomain

struct InventoryTrust: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "Pin host keys from a known_hosts file.",
        discussion: """
            Matching is OpenSSH's own (ssh-keygen -F), so hashed names and ports work. A pinned key is never replaced
            silently: a different one is refused unless --replace is given.
            Example: lockflight inventory trust --known-hosts ~/.ssh/known_hosts
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "The known_hosts file.", completion: .file()) var knownHosts = "~/.ssh/known_hosts"
    @Flag(name: .long, help: "Replace keys that differ from the pinned ones.") var replace = false
    @Argument(help: "Only these hosts.") var hosts: [String] = []

    func perform(_ context: Context) async throws -> CommandResult {
        let path = (knownHosts as NSString).expandingTildeInPath
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw CommandError(
                .refused, "\(path) can not be read", consequence: "No key was pinned.", next: "ls -l \(path)")
        }
        let ledger = try context.ledger()
        var inventory = try context.inventory(of: ledger)
        if let stranger = hosts.first(where: { name in !inventory.hosts.contains { $0.name.rawValue == name } }) {
            throw CommandError(.refused, "the inventory has no host '\(stranger)'", next: "lockflight inventory list")
        }
        var rows: [Row] = []
        for index in inventory.hosts.indices {
            let host = inventory.hosts[index]
            guard hosts.isEmpty || hosts.contains(host.name.rawValue) else { continue }
            let match = try await KnownHosts(path: path).match(for: host)
            let outcome = decide(host, match)
            if let pins = outcome.pins { inventory.hosts[index].hostKeys = pins }
            rows.append(Row(host: host.name, result: outcome.text, ok: outcome.ok))
        }
        _ = try ledger.importInventory(inventory, by: context.user, at: Context.clock.wall())
        let table = TextTable(
            headers: ["HOST", "RESULT"],
            rows: rows.map { [$0.host.rawValue, $0.ok ? $0.result : context.style.red($0.result)] })
        return CommandResult(
            lines: table.lines(width: context.width, style: context.style), document: rows,
            status: rows.allSatisfy(\.ok) ? .verified : .refused)
    }

    /// What becomes of a host's pins; nil where they stay as they are.
    private func decide(_ host: UpgradeDomain.Host, _ match: KnownHosts.Match) -> (
        text: String, ok: Bool, pins: [HostKey]?
    ) {
        let remarks = match.remarks.isEmpty ? "" : " (\(match.remarks.joined(separator: "; ")))"
        let stillGood = host.hostKeys.filter { !match.revoked.contains($0) }
        if replace, !match.keys.isEmpty {
            return ("pinned \(match.keys.map(\.type).joined(separator: ", "))\(remarks)", true, match.keys)
        }
        if stillGood.count < host.hostKeys.count {
            let way = match.keys.isEmpty ? "give the host a new key" : "--replace pins its other key"
            return ("withdrawn: a pinned key is revoked in the file; \(way)\(remarks)", false, stillGood)
        }
        if match.keys.isEmpty {
            let word = match.revoked.isEmpty ? "no usable key" : "only revoked keys"
            return ("refused: \(word) in the file\(remarks)", false, nil)
        }
        if host.hostKeys == match.keys { return ("unchanged", true, nil) }
        if !host.hostKeys.isEmpty {
            return ("refused: differs from the pinned key; --replace accepts it deliberately", false, nil)
        }
        return ("pinned \(match.keys.map(\.type).joined(separator: ", "))\(remarks)", true, match.keys)
    }

    private struct Row: Encodable {
        var host: HostName
        var result: String
        var ok: Bool
    }
}

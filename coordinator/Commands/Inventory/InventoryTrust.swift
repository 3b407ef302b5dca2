import ArgumentParser
import CoordinatorRuntime
import FleetAccess
import Foundation
import Ledger
import OperatorCommands
import SSHTransport
import SafeText
import UpgradeDomain

struct InventoryTrust: LockflightCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "Pin host keys from a known_hosts file, or from the hosts themselves.",
        discussion: """
            Entries are matched by OpenSSH itself (ssh-keygen -F), so hashed names and ports work. With --scan each host
            is asked for its key, through its jump hosts, and you confirm the fingerprints. No login happens. A pinned
            key is never replaced silently: a different key is refused unless you give --replace.
            Example: lockflight inventory trust --known-hosts ~/.ssh/known_hosts
            Example: lockflight inventory trust --scan core-1
            """)

    @OptionGroup var options: GlobalOptions
    @Option(name: .long, help: "The known_hosts file. (default: ~/.ssh/known_hosts)", completion: .file())
    var knownHosts: String?
    @Flag(name: .long, help: "Ask the hosts for their keys instead.") var scan = false
    @Option(name: .long, help: "With --scan: pin keys with this fingerprint (SHA256:...) without asking; repeatable.")
    var accept: [String] = []
    @Flag(name: .long, help: "Replace keys that differ from the pinned ones.") var replace = false
    @Argument(help: "Only these hosts.") var hosts: [String] = []

    func validate() throws {
        if scan, knownHosts != nil { throw ValidationError("--scan and --known-hosts can not be used together") }
        if !scan, !accept.isEmpty { throw ValidationError("--accept requires --scan") }
    }

    func perform(_ context: Context) async throws -> CommandResult {
        let ledger = try await context.ledger()
        let inventory = try await context.inventory(of: ledger)
        if let stranger = hosts.first(where: { name in !inventory.hosts.contains { $0.name.rawValue == name } }) {
            throw CommandError(.refused, "the inventory has no host '\(stranger)'", next: .listInventory)
        }
        let chosen = inventory.hosts.filter { hosts.isEmpty || hosts.contains($0.name.rawValue) }
        let decided = scan ? try await scanned(chosen, ledger, context) : try await known(chosen)
        // Somebody else may have changed the inventory while hosts were asked and fingerprints were compared.
        let change = try await ledger.changeInventory(by: context.user, at: Context.clock.wall()) { current in
            decided.reduce(current ?? inventory) { $1.pinned(in: $0) }
        }
        let rows = decided.map { $0.asFound(in: change.previous ?? inventory) }
        let table = TextTable(
            headers: ["HOST", "RESULT"],
            rows: rows.map { ["\($0.host)", $0.ok ? "\($0.result)" : context.style.red("\($0.result)")] })
        return CommandResult(
            lines: table.lines(width: context.width, style: context.style), document: rows,
            status: rows.allSatisfy(\.ok) ? .verified : .refused)
    }

    /// The result for one host's pins.
    private struct Row: Encodable {
        var host: HostName
        var result: String
        var ok: Bool
        /// Nil if they do not change.
        var pins: [HostKey]?
        /// The host's entry that the decision was based on.
        var entry: UpgradeDomain.Host

        private enum CodingKeys: CodingKey { case host, result, ok }

        /// - Parameters:
        ///   - entry: the host's entry that the decision was based on.
        ///   - pins: nil if they do not change.
        init(_ entry: UpgradeDomain.Host, _ result: String, ok: Bool, pins: [HostKey]? = nil) {
            (host, self.result, self.ok, self.pins, self.entry) = (entry.name, result, ok, pins, entry)
        }

        /// The host's index in an inventory; nil if its address, way or pins are not those of the decision any more.
        private func place(in inventory: FleetInventory) -> Int? {
            inventory.hosts.firstIndex { host in
                host.name == entry.name && host.isAtPlace(of: entry) && host.jump == entry.jump && host.ssh == entry.ssh
                    && host.hostKeys == entry.hostKeys
            }
        }

        func pinned(in inventory: FleetInventory) -> FleetInventory {
            guard let pins, let place = place(in: inventory) else { return inventory }
            var changed = inventory
            changed.hosts[place].hostKeys = pins
            return changed
        }

        /// The result, given the inventory that was current when it was written.
        func asFound(in inventory: FleetInventory) -> Row {
            if pins == nil || place(in: inventory) != nil { return self }
            return Row(
                entry, "not pinned: its inventory entry was changed meanwhile; check the entry, then try again",
                ok: false)
        }
    }

    // MARK: From the hosts

    private func scanned(
        _ chosen: [UpgradeDomain.Host], _ ledger: Ledger, _ context: Context
    ) async throws -> [Row] {
        let connection = try await context.connection(to: chosen, of: ledger)
        let answers = await HostKeyScan(over: connection.connector).answers(of: chosen)
        await connection.close()
        let candidates = answers.compactMap { answer -> (host: HostName, key: SSHHostKey)? in
            guard case .success(let key) = answer.key, mayBePinned(key, on: answer.host) else { return nil }
            return (answer.host.name, key)
        }
        let confirmed = try HostKeyQuestion(accepted: Set(accept)).confirmed(candidates, context)
        return answers.map { row(for: $0, confirmed) }
    }

    private func mayBePinned(_ key: SSHHostKey, on host: UpgradeDomain.Host) -> Bool {
        !host.hostKeys.contains(key.pin) && (replace || host.hostKeys.isEmpty)
    }

    private func row(for answer: HostKeyScan.Answer, _ confirmed: Set<HostName>) -> Row {
        let host = answer.host
        switch answer.key {
        case .failure(let error):
            return Row(host, "refused: \(error.message)", ok: false)
        case .success(let key):
            let shown = "\(key.type) \(key.fingerprint)"
            if host.hostKeys.contains(key.pin) { return Row(host, "unchanged: \(shown)", ok: true) }
            guard mayBePinned(key, on: host) else {
                let result =
                    "refused: pinned is \(fingerprints(of: host.hostKeys)), the host shows \(shown); --replace accepts the new key"
                return Row(host, result, ok: false)
            }
            guard confirmed.contains(host.name) else {
                let result = "not pinned: \(shown) was not confirmed; confirm it with --accept \(key.fingerprint)"
                return Row(host, result, ok: false)
            }
            return Row(host, "pinned \(shown)", ok: true, pins: [key.pin])
        }
    }

    private func fingerprints(of pins: [HostKey]) -> String {
        pins.compactMap(SSHHostKey.init).map { "\($0.type) \($0.fingerprint)" }.joined(separator: ", ")
    }

    // MARK: From a known_hosts file

    private func known(_ chosen: [UpgradeDomain.Host]) async throws -> [Row] {
        let path = ((knownHosts ?? "~/.ssh/known_hosts") as NSString).expandingTildeInPath
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw CommandError(
                .refused, "\(path) can not be read", consequence: "No key was pinned.",
                next: .program(words: ["ls", "-l", "--", path]))
        }
        var rows: [Row] = []
        for host in chosen {
            let outcome = decide(host, try await KnownHosts(path: path).match(for: host))
            rows.append(Row(host, outcome.text, ok: outcome.ok, pins: outcome.pins))
        }
        return rows
    }

    /// Decides the pins of a host; nil if they do not change.
    private func decide(_ host: UpgradeDomain.Host, _ match: KnownHosts.Match) -> (
        text: String, ok: Bool, pins: [HostKey]?
    ) {
        let remarks = match.remarks.isEmpty ? "" : " (\(match.remarks.joined(separator: "; ")))"
        let stillGood = host.hostKeys.filter { !match.revoked.contains($0) }
        if replace, !match.keys.isEmpty {
            return ("pinned \(match.keys.map(\.type).joined(separator: ", "))\(remarks)", true, match.keys)
        }
        if match.isUnsure, !host.hostKeys.isEmpty {
            return (
                "withdrawn: the file revokes a key of this host that can not be read; correct that line\(remarks)",
                false, []
            )
        }
        if stillGood.count < host.hostKeys.count {
            let way = match.keys.isEmpty ? "give the host a new key" : "pin its other key with --replace"
            return ("withdrawn: a pinned key is revoked in the file; \(way)\(remarks)", false, stillGood)
        }
        if match.keys.isEmpty {
            let word = match.revoked.isEmpty ? "no usable key" : "only revoked keys"
            return ("refused: \(word) in the file\(remarks)", false, nil)
        }
        if host.hostKeys == match.keys { return ("unchanged", true, nil) }
        if !host.hostKeys.isEmpty {
            let difference =
                "pinned is \(fingerprints(of: host.hostKeys)), the file has \(fingerprints(of: match.keys))"
            return ("refused: \(difference); --replace accepts the new key", false, nil)
        }
        return ("pinned \(match.keys.map(\.type).joined(separator: ", "))\(remarks)", true, match.keys)
    }
}

extension SSHHostKey {
    /// The form that an inventory stores.
    var pin: HostKey { HostKey(type: type, base64: Data(blob).base64EncodedString()) }
}

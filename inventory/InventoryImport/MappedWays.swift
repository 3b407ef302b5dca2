import FileReading
import Inventory
import UpgradeDomain

/// The ways to hosts through others: jump hosts are entries, made where an inventory does not list them.
struct MappedWays {
    private let hosts: [ForeignHost]
    private let names: [String]
    private var byName: [String: Int] = [:]
    private var byAddress: [HostAddress: [Int]] = [:]
    private var jumps: [Int: String] = [:]
    private var followed: Set<Int> = []
    /// The hosts of the inventory that others are reached through.
    private(set) var passed: Set<Int> = []
    /// What ways say of hosts that are listed.
    private(set) var named: [Int: SSHHop] = [:]
    /// In the order in which they were met.
    private var hops: [Made] = []
    private var clashes: Set<String> = []

    private struct Made {
        var hop: SSHHop
        var name: String
        var jump: String?
    }

    init(among hosts: [ForeignHost], names: [String]) {
        self.hosts = hosts
        self.names = names
        for (index, host) in hosts.enumerated() {
            byName[names[index]] = index
            byName[host.name] = index
            if let address = HostAddress(MappedWays.address(of: host)) { byAddress[address, default: []].append(index) }
        }
    }

    private static func address(of host: ForeignHost) -> String {
        FileTree(host.entry["address"] ?? .text(host.name), line: 0).text ?? host.name
    }

    /// The host with a name, its own one or ours.
    func index(named name: String) -> Int? { byName[name] }

    func jump(of index: Int) -> String? { jumps[index] }

    /// Finds or makes the entries on the way to a host.
    mutating func follow(_ index: Int) {
        guard followed.insert(index).inserted else { return }
        var before: String?
        for hop in hosts[index].way {
            if let known = known(hop) {
                // What is said of all hosts is said of the jump host as well: it is not behind itself.
                guard known != index else {
                    jumps[index] = before ?? "none"
                    return
                }
                passed.insert(known)
                take(hop, for: known)
                follow(known)
                if jumps[known] == nil, !hosts[known].way.contains(hop) { jumps[known] = before }
                before = names[known]
            } else {
                before = entry(for: hop, behind: before)
            }
        }
        jumps[index] = before
    }

    /// What a way says of a host that is listed; ways must not say different things of it.
    private mutating func take(_ hop: SSHHop, for known: Int) {
        if let other = named[known], other != hop { clash(at: known) }
        named[known] = hop
    }

    /// The host is reached in different ways.
    mutating func clash(at known: Int) { clashes.insert(names[known]) }

    private func known(_ hop: SSHHop) -> Int? {
        if let named = byName[hop.host] { return named }
        let placed = HostAddress(hop.host).flatMap { byAddress[$0] } ?? []
        let port = "\(hop.port ?? 22)"
        return placed.first { FileTree(hosts[$0].entry["port"] ?? .text("22"), line: 0).text == port }
            ?? (placed.count == 1 ? placed[0] : nil)
    }

    private mutating func entry(for hop: SSHHop, behind before: String?) -> String {
        if let made = hops.first(where: { $0.hop.host == hop.host && $0.hop.port == hop.port }) {
            if made.hop != hop || made.jump != before { clashes.insert(made.name) }
            return made.name
        }
        var name = HostNames.valid(hop.host)
        var number = 2
        while byName[name] != nil || hops.contains(where: { $0.name == name }) {
            name = HostNames.valid("\(hop.host)-\(number)")
            number += 1
        }
        hops.append(Made(hop: hop, name: name, jump: before))
        return name
    }

    /// The names of the entries that were made.
    var madeNames: [String] { hops.map(\.name) }

    /// The entries that were made; they are in no layer.
    ///
    /// - Parameter more: the keys of an entry that its mapping says.
    func made(completedBy more: (String) -> [FileTree.Member]) -> [FileTree] {
        hops.map { made in
            let settings: [(String, FileTree.Content?)] = [
                ("name", .text(made.name)), ("address", .text(made.hop.host)),
                ("port", made.hop.port.map { .integer($0) }),
                ("user", made.hop.user.map { .text($0) }), ("identityFile", made.hop.identityFile.map { .text($0) }),
                ("jump", made.jump.map { .text($0) }),
            ]
            let own = more(made.name)
            let members = settings.compactMap { key, content in
                content.map { FileTree.Member(key, FileTree($0, line: 0), line: 0) }
            }.filter { member in !own.contains { $0.key == member.key } }
            return FileTree(.mapping(members + own), line: 0)
        }
    }

    func problems(in file: String) -> [FileProblem] {
        clashes.sorted().map { name in
            FileProblem(
                file: file, line: 0, message: "hosts reach the jump host \(name) with different users, keys or ways",
                remedy:
                    "write 'jump: \(name)' for the hosts behind it in the mapping file, and its settings under 'hosts'")
        }
    }
}

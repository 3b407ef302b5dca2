import FileReading
import UpgradeDomain

/// Rules between hosts, checked once the address and the jump host of each are known.
struct HostRules {
    typealias Placed = (host: Host, line: Int, hasWholeLayers: Bool)

    let hosts: [Placed]
    let reader: FileReader
    private let jumps: [HostName: HostName]

    init(hosts: [Placed], reader: FileReader) {
        self.hosts = hosts
        self.reader = reader
        jumps = Dictionary(hosts.compactMap { placed in placed.host.jump.map { (placed.host.name, $0) } }) { first, _ in
            first
        }
    }

    func check() {
        let bastions = Set(hosts.compactMap(\.host.jump))
        var addresses: [Place: HostName] = [:]
        for (host, line, hasWholeLayers) in hosts {
            if let address = HostAddress(host.address) {
                let place = Place(address: address, port: host.port)
                if let twin = addresses[place], twin != host.name {
                    reader.report(
                        line, "hosts \(twin) and \(host.name) have the same address and port",
                        "one machine is one host: put all its layers on one entry")
                }
                addresses[place] = host.name
            }
            if jumpCount(before: host.name) > FleetInventory.jumpDepth {
                reader.report(
                    line, "host \(host.name) is behind more than \(FleetInventory.jumpDepth) hosts, or behind itself",
                    "remove the loop of jump hosts, or shorten the path")
            }
            if host.placements.isEmpty, hasWholeLayers, !bastions.contains(host.name) {
                reader.report(line, "host \(host.name) is in no layer", "list its layers, or remove it")
            }
        }
    }

    private struct Place: Hashable {
        var address: HostAddress
        var port: Int
    }

    /// How many jump hosts are in front of a host; in a loop, one more than is allowed.
    private func jumpCount(before host: HostName) -> Int {
        var count = 0
        var next = jumps[host]
        while let name = next, count <= FleetInventory.jumpDepth {
            count += 1
            next = jumps[name]
        }
        return count
    }
}

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
            switch way(to: host.name) {
            case .allowed: break
            case .loop(let hops):
                reader.report(
                    line, "host \(host.name) jumps through \(HostRules.list(hops)), which is a loop",
                    "let one host of the loop be reached directly: 'jump: none'")
            case .tooLong:
                reader.report(
                    line, "host \(host.name) is behind more than \(FleetInventory.jumpDepth) hosts", "shorten the path")
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

    private enum Way {
        case allowed
        case tooLong
        /// The jump hosts up to the first that is passed again.
        case loop([HostName])
    }

    private func way(to host: HostName) -> Way {
        var passed = [host]
        var next = jumps[host]
        while let name = next {
            let isAgain = passed.contains(name)
            passed.append(name)
            if isAgain { return .loop(Array(passed.dropFirst())) }
            // A loop is found within as many steps as there are hosts; a path that long is wrong either way.
            if passed.count > HostRules.followed { break }
            next = jumps[name]
        }
        return passed.count - 1 > FleetInventory.jumpDepth ? .tooLong : .allowed
    }

    /// How many jump hosts are followed to tell a loop from a path that is too long.
    private static let followed = 64

    private static func list(_ hops: [HostName]) -> String { hops.map(\.rawValue).joined(separator: ", then ") }
}

package import UpgradeDomain

/// The hosts of a lab, and the layers each belongs to.
package struct LabLayout: Codable, Hashable, Sendable {
    /// A host and the layers it belongs to.
    package struct Member: Codable, Hashable, Sendable {
        package var name: HostName
        package var layers: [LayerName]

        package init(_ name: HostName, layers: [LayerName]) {
            self.name = name
            self.layers = layers
        }
    }
    /// In the order in which they change.
    package var layers: [LayerName]
    package var members: [Member]

    package init(layers: [LayerName], members: [Member]) {
        self.layers = layers
        self.members = members
    }

    /// `count` hosts spread over data, core and edge, a quarter of them in data.
    package static func standard(hosts count: Int) -> LabLayout {
        let data = max(1, count / 4)
        let core = min(count - data, max(1, (count - data) / 2))
        let edge = count - data - core
        let parts: [(LayerName, Int)] = [("data", data), ("core", core), ("edge", edge)].filter { $0.1 > 0 }
        let members = parts.flatMap { layer, size in
            (1...size).map { Member(HostName("\(layer)-\($0)"), layers: [layer]) }
        }
        return LabLayout(layers: parts.map(\.0), members: members)
    }
}

/// A host of a lab: its address and where its parts are.
package struct LabHost: Codable, Hashable, Sendable {
    package var name: HostName
    /// Its own loopback address.
    package var address: String
    package var sshPort: Int
    /// The port of its service in each of its layers.
    package var servicePorts: [LayerName: Int]
    /// The host's own folder.
    package var root: String

    /// The deployment checkout: the repository's state.
    package var workingDirectory: String { "\(root)/stack" }
    /// The agent's state folder for the whole machine.
    package var stateDirectory: String { "\(root)/state" }
    package var layers: [LayerName] { servicePorts.keys.sorted() }

    package func baseURL(in layer: LayerName) -> String { "http://\(address):\(servicePorts[layer] ?? 0)" }
    func place(of layer: LayerName) -> String { "\(workingDirectory)/layers/\(layer)" }
    func release(_ version: Version) -> String { "\(workingDirectory)/releases/\(version)" }
}
